// A page without Jupyter: a model that a test carries messages for, and a time that passes when the test says so.
const nextPicture = window.requestAnimationFrame.bind(window);
const later = window.setTimeout.bind(window);
const timers = new Map();
let frames = new Map();
let now = 0;
let number = 1;
const add = (task, wait, every) => {
  timers.set(++number, { task, at: now + (wait || 0), every });
  return number;
};
window.setTimeout = (task, wait) => add(task, wait, null);
window.setInterval = (task, wait) => add(task, wait, Math.max(1, wait));
window.clearTimeout = window.clearInterval = (id) => void timers.delete(id);
window.requestAnimationFrame = (task) => (frames.set(++number, task), number);
window.cancelAnimationFrame = (id) => void frames.delete(id);
performance.now = () => now;

/** Lets time pass up to `end`, in milliseconds, then draws a frame. */
function pass(end) {
  for (;;) {
    const due = [...timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
    if (!due) break;
    const [id, timer] = due;
    now = Math.max(now, timer.at);
    if (timer.every) timer.at += timer.every;
    else timers.delete(id);
    timer.task();
  }
  now = Math.max(now, end);
  const drawn = frames;
  frames = new Map();
  for (const task of drawn.values()) task(now);
}

class Model {
  constructor(traits) {
    this.traits = traits;
    this.listeners = new Map();
    this.said = [];
    this.widget_manager = { get_model: async () => feed };
  }
  get(name) {
    return this.traits[name];
  }
  set(name, value) {
    this.traits[name] = value;
    this.emit(`change:${name}`);
  }
  save_changes() {}
  send(content) {
    this.said.push(JSON.stringify(content));
  }
  on(event, listener) {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
  }
  off(event, listener) {
    this.listeners.get(event)?.delete(listener);
  }
  emit(event, ...args) {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...args);
  }
}
const feed = new Model({ selection: [], color_by: "max", kind: "search", version: "test" });

function bytesOf(text) {
  return new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

window.solo = {
  feed,
  /** Shows a bundle's view. */
  async show(name, traits) {
    const { default: widget } = await import(`./${name}.js`);
    const el = document.body.appendChild(document.createElement("div"));
    await widget.render({ model: new Model({ feed: "IPY_MODEL_feed", ...traits }), el });
  },
  /** Brings messages at a time, in seconds, a frame after each; returns what the page says. */
  async carry(seconds, messages) {
    for (const [content, buffers] of messages) {
      feed.emit("msg:custom", JSON.parse(content), buffers.map(bytesOf));
      pass(seconds * 1000);
      await null;
    }
    pass(seconds * 1000);
    await new Promise((drawn) => later(drawn));
    pass(seconds * 1000);
    return feed.said.splice(0);
  },
  /** Until the browser has really painted. */
  painted: () => new Promise((drawn) => nextPicture(() => nextPicture(drawn))),
  waiting: () => ({ timers: timers.size, frames: frames.size }),
};
