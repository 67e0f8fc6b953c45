// The left half of the page: shows the physical truth as it comes, and sends what a hand does.

const shown = new Map();

/** Writes a text, and lets its card glow when it has changed; `quiet` values change all the time. */
function write(card, what, text, quiet = false) {
	const element = document.querySelector(`#${card} [data-is=${what}]`);
	if (element.textContent === text) return;
	element.textContent = text;
	const key = `${card}.${what}`;
	if (!quiet && shown.has(key)) glow(document.getElementById(card));
	shown.set(key, text);
}

function glow(card) {
	card.classList.remove("changed");
	void card.offsetWidth; // lets the animation begin anew
	card.classList.add("changed");
}

function label(action, text) {
	document.querySelector(`[data-act="${action}"]`).textContent = text;
}

function gone(card, isGone) {
	document.getElementById(card).classList.toggle("gone", isGone);
}

const relays = document.querySelector(".relays");
for (let number = 1; number <= 8; number++) relays.append(Object.assign(document.createElement("i"), { textContent: number, title: `relay${number}` }));

/** The inverter's numbers for its modes. */
const modes = { 1: "only charges", 2: "only inverts", 3: "on", 4: "off" };

function show({ thermostat, plug, bulb, window: sash, probe, relays: board, air, ...more }) {
	write("thermostat", "temperature", `${thermostat.temperature.toFixed(1)} °C`, true);
	write("thermostat", "setpoint", `${thermostat.setpoint.toFixed(1)} °C`);
	const lamp = document.querySelector("[data-lamp=action]");
	lamp.textContent = thermostat.stuck ? "stuck" : thermostat.action;
	lamp.className = `lamp ${thermostat.stuck ? "stuck" : thermostat.action}`;
	label("thermostat.stuck", thermostat.stuck ? "Free the valve" : "Jam the valve");

	write("plug", "on", plug.powered ? (plug.on ? "on" : "off") : "no power");
	write("plug", "power", plug.on ? `${plug.power.toFixed(1)} W` : "", true);
	label("plug.power", plug.powered ? "Cut its power" : "Give it power");
	gone("plug", !plug.powered);

	write("bulb", "brightness", bulb.on ? String(bulb.brightness) : "off");
	const light = document.querySelector(".bulb");
	const level = bulb.on ? 0.25 + (0.75 * bulb.brightness) / 254 : 0;
	light.style.background = bulb.on ? `rgba(255, 190, 60, ${level})` : "";
	light.style.boxShadow = bulb.on ? `0 0 ${Math.round(20 * level)}px ${Math.round(5 * level)}px rgba(255, 190, 60, ${level})` : "";

	write("window", "contact", sash.closed ? "closed" : "open");
	label("window.open", sash.closed ? "Open it" : "Close it");

	write("bus", "temperature", `${probe.temperature.toFixed(1)} °C`, true);
	write("bus", "humidity", `${probe.humidity.toFixed(0)} %RH`, true);
	label("bus.unplug", probe.plugged ? "Pull the adapter out" : "Put the adapter back");
	gone("bus", !probe.plugged);
	[...relays.children].forEach((relay, index) => {
		const on = board.closed[index];
		if (relay.classList.contains("on") !== on) {
			relay.classList.toggle("on", on);
			glow(document.getElementById("bus"));
		}
	});

	write("air", "co2", `${air.co2.toFixed(0)} ppm`, true);
	write("air", "pm25", `${air.pm25.toFixed(1)} µg/m³`, true);
	write("air", "interval", `every ${air.interval} s`);
	label("air.unplug", air.plugged ? "Pull its cable" : "Put its cable back");
	gone("air", !air.plugged);
	showMore(more);
}

/** The small cards. */
function showMore({ heater, shelf, coffee, saw, bench, pump, valve, inverter, solar, boat }) {
	write("heater", "temperature", `${heater.temperature.toFixed(1)} °C`, true);
	write("heater", "setpoint", heater.on ? `to ${heater.setpoint.toFixed(1)} °C` : "off");

	write("shelf", "brightness", shelf.brightness > 0 ? String(shelf.brightness) : "off");
	const strip = document.querySelector(".strip");
	if (strip.dataset.color !== undefined && strip.dataset.color !== shelf.color) glow(document.getElementById("shelf"));
	strip.dataset.color = shelf.color;
	strip.style.background = shelf.brightness > 0 ? shelf.color : "";
	strip.style.boxShadow = shelf.brightness > 0 ? `0 0 ${Math.round(4 + shelf.brightness / 20)}px ${shelf.color}` : "";

	write("coffee", "on", coffee.on ? "on" : "off");
	write("saw", "on", saw.powered ? (saw.on ? "on" : "off") : "no power");
	label("saw.power", saw.powered ? "Cut power" : "Give power");
	gone("saw", !saw.powered);
	write("bench", "on", bench.on ? "on" : "off");
	write("pump", "on", pump.on ? "runs" : "off");
	write("valve", "open", valve.open ? "open" : "closed");
	write("valve", "target", `set to ${valve.target} %`);
	write("inverter", "output", `${inverter.output.toFixed(0)} W`, true);
	write("inverter", "battery", `${inverter.battery.toFixed(1)} V`, true);
	write("inverter", "mode", modes[inverter.mode] ?? `mode ${inverter.mode}`);
	write("solar", "battery", `${solar.battery.toFixed(2)} V`, true);
	label("solar.unplug", solar.plugged ? "Unplug" : "Plug in");
	gone("solar", !solar.plugged);
	write("boat", "depth", `${boat.depth.toFixed(1)} m`, true);
	label("boat.unplug", boat.plugged ? "Unplug" : "Plug in");
	gone("boat", !boat.plugged);
}

for (const button of document.querySelectorAll("[data-act]")) button.addEventListener("click", () => fetch("/act", { method: "POST", body: button.dataset.act }));

const truth = new EventSource("/truth");
truth.onmessage = ({ data }) => {
	document.body.classList.remove("ended");
	show(JSON.parse(data));
};
truth.onerror = () => document.body.classList.add("ended");
