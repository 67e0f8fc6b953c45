import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", ".demo/", ".tools/", "**/*.mjs"] },
  {
    files: ["src/**/*.ts", "firmware-sim/**/*.ts", "test/**/*.ts", "demo/**/*.ts"],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      // A promise that nobody awaits hides its error: the one fault that types cannot show.
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [{ from: "package", package: "node:test", name: ["test", "describe", "it", "suite", "before", "after", "beforeEach", "afterEach"] }] }],
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/only-throw-error": "error",
      "no-empty": "error",
      "no-console": "error",
      "eqeqeq": "error",
      "prefer-const": "error",
      "no-control-regex": "off",
    },
  },
  { files: ["firmware-sim/**/*.ts", "test/**/*.ts", "demo/**/*.ts", "src/cli/**/*.ts", "src/main.ts"], rules: { "no-console": "off" } },
);
