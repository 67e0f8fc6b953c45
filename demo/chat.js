// Converse, logged in as the operator. It lives in a frame of its own, because its style sheet wants the whole window.

// What an earlier demo left in this browser is of other devices, or of none.
sessionStorage.clear();
localStorage.clear();

// In place of Converse's own footer, which fetches pictures from its site.
customElements.define("converse-footer", class extends HTMLElement {});

const [session] = await Promise.all([fetch("/session").then((answer) => answer.json()), import("/converse/converse.min.js")]);
const { converse } = window;

// Many chat apps show the status text of a presence in the contact list; Converse leaves it out, so it is added here.
converse.plugins.add("jidway-status", {
	initialize() {
		const { api } = this._converse;
		const texts = new Map();

		function write(name) {
			const text = texts.get(name.closest("[data-jid]")?.dataset.jid) ?? "";
			if (name.dataset.status !== text) name.dataset.status = text;
		}

		function writeAll() {
			for (const name of document.querySelectorAll("[data-jid] .contact-name")) write(name);
		}

		async function tellHeading(jid) {
			const chat = await api.chats.get(jid);
			chat?.set("status", texts.get(jid) ?? "");
		}

		function hear(presence) {
			const jid = presence.getAttribute("from")?.split("/")[0];
			const type = presence.getAttribute("type");
			if (jid !== undefined && (type === null || type === "unavailable")) {
				texts.set(jid, presence.querySelector("status")?.textContent ?? "");
				writeAll();
				void tellHeading(jid);
			}
			return true; // stay in use
		}

		for (const event of ["connected", "reconnected"]) api.listen.on(event, () => api.connection.get().addHandler(hear, null, "presence"));
		api.listen.on("chatBoxViewInitialized", ({ model }) => void tellHeading(model.get("jid")));
		new MutationObserver(writeAll).observe(document.body, { childList: true, subtree: true });
	},
});

converse.initialize({
	jid: session.jid,
	password: session.password,
	auto_login: true,
	reuse_scram_keys: false,
	keepalive: false,
	persistent_store: "sessionStorage",
	websocket_url: `ws://${location.host}/xmpp-websocket`,
	discover_connection_methods: false,
	assets_path: "/converse/",
	view_mode: "fullscreen",
	theme: "classic",
	dark_theme: "classic",
	i18n: "en",
	loglevel: "error",
	allow_logout: false,
	allow_adhoc_commands: false,
	allow_contact_requests: false,
	allow_registration: false,
	autocomplete_providers_url: "", // nothing is fetched from elsewhere
	auto_join_private_chats: [session.open],
	blacklisted_plugins: ["converse-omemo", "converse-omemo-views", "converse-push", "converse-register"],
	whitelisted_plugins: ["jidway-status"],
	hide_offline_users: false,
	roster_groups: true,
	show_self_in_roster: false,
	show_background: false,
	show_message_avatar: false,
	show_connection_url_input: false,
	play_sounds: false,
	show_desktop_notifications: false,
	visible_toolbar_buttons: { call: false, clear: false, emoji: false, location: false, spoiler: false },
	clear_messages_on_reconnection: true,
	message_archiving: "always",
});
