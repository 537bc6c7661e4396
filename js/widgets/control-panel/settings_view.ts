/** The live settings as a small window: fields made from what the search offers, checked as typed, sent by Apply. */

import { button, h, isDisabled, setAttribute, setDisabled, setText, uniqueId } from "../../shared/dom";
import { line } from "../../shared/format";
import { openPopover } from "../../shared/popover";
import type { Dispose } from "../../shared/disposer";
import type { Facts, Feed, Strategy } from "../../shared/types";
import { type Draft, check, draftOf, labelOf, parametersOf } from "./settings";

type Parameter = Strategy["parameters"][number];

const BASICS = [
  { field: "k", label: "Hits a query (k)", hint: "" },
  { field: "budget", label: "Budget", hint: "no limit" },
  { field: "batch_size", label: "Batch size", hint: "all at once" },
] as const;

export function openSettings(anchor: HTMLElement, feed: Feed): Dispose {
  const facts = feed.facts;
  if (!facts) return () => {};
  const form = h("form", { class: "eow-settings", novalidate: true, autocomplete: "off" });
  const draft = draftOf(facts);
  const marks = new Map<string, { field: HTMLElement; message: HTMLElement }>();
  const failure = h("p", { class: "eow-failure", role: "alert" });
  const apply = button("Apply", { class: "eow-main" });
  apply.type = "submit";
  const cancel = button("Cancel");
  const changed = () => {
    const { settings, wrong } = check(draft, feed.facts ?? facts);
    for (const [name, { field, message }] of marks) {
      setText(message, wrong[name] ?? "");
      setAttribute(field, "aria-invalid", wrong[name] ? "true" : null);
    }
    setDisabled(apply, !settings || !Object.keys(settings).length);
    setText(failure, "");
  };
  const row = (name: string, label: string, field: HTMLElement, doc = "") => {
    const id = uniqueId("eow-field");
    const message = h("span", { class: "eow-wrong", id: `${id}-wrong`, "aria-live": "polite" });
    field.id = id;
    setAttribute(field, "aria-describedby", `${id}-wrong`);
    marks.set(name, { field, message });
    return h("div", { class: "eow-row", title: doc || null }, h("label", { for: id }, label), field, message);
  };
  for (const { field, label: name, hint } of BASICS) {
    const label = field === "budget" ? `${name}, ${line(facts.unit, 20)}` : name;
    const input = h("input", { class: "eow-field eow-num", inputmode: "numeric", value: draft[field], placeholder: hint });
    input.addEventListener("input", () => {
      draft[field] = input.value;
      changed();
    });
    form.append(row(field, label, input));
  }
  form.append(strategyFields("update", "Update", facts, draft, row, marks, changed), strategyFields("prune", "Prune", facts, draft, row, marks, changed));
  form.append(failure, h("div", { class: "eow-actions" }, cancel, apply));
  const close = openPopover({ anchor, content: form, role: "dialog", label: "Settings", align: "end" });
  cancel.addEventListener("click", close);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { settings } = check(draft, feed.facts ?? facts);
    if (isDisabled(apply) || !settings) return;
    setDisabled(apply, true);
    setText(apply, "Applying…");
    const reply = await feed.command("set", { settings }).catch((error: Error) => ({ ok: false, error: { title: error.message, hint: "" } }));
    if (reply.ok) return close();
    setText(apply, "Apply");
    setDisabled(apply, false);
    setText(failure, [reply.error?.title, reply.error?.hint].filter(Boolean).join(" "));
  });
  changed();
  form.querySelector("input")?.focus();
  return close;
}

function strategyFields(
  slot: "update" | "prune",
  label: string,
  facts: Facts,
  draft: Draft,
  row: (name: string, label: string, field: HTMLElement, doc?: string) => HTMLElement,
  marks: Map<string, unknown>,
  changed: () => void,
): HTMLElement {
  const list = slot === "update" ? facts.updates : facts.prunes;
  const holds = facts.settings[slot];
  const names = list.map((one) => [one.name, one.title] as const);
  if (slot === "prune") names.unshift(["", "None"]);
  else if (!list.some((one) => one.name === holds?.name)) names.unshift([holds?.name ?? "", `${holds?.title ?? "Own"} (as it is)`]);
  const select = h("select", { class: "eow-field" }, ...names.map(([value, text]) => h("option", { value }, text)));
  select.value = draft[slot];
  const inner = h("div", { class: "eow-parameters" });
  const fill = () => {
    for (const name of [...marks.keys()]) if (name.startsWith(`${slot}.`)) marks.delete(name);
    const strategy = list.find((one) => one.name === draft[slot]);
    inner.replaceChildren(...(strategy?.parameters ?? []).map((parameter) => row(`${slot}.${parameter.name}`, labelOf(slot, parameter.name), parameterField(slot, parameter, draft, changed), parameter.doc)));
  };
  select.addEventListener("change", () => {
    draft[slot] = select.value;
    const strategy = list.find((one) => one.name === select.value);
    if (strategy) for (const [name, value] of Object.entries(parametersOf(strategy, holds))) draft.parameters[`${slot}.${name}`] = value;
    fill();
    changed();
  });
  fill();
  return h("div", { class: "eow-strategy" }, row(slot, label, select), inner);
}

function parameterField(slot: string, { name, type, choices }: Parameter, draft: Draft, changed: () => void): HTMLElement {
  const key = `${slot}.${name}`;
  const set = (value: string) => {
    draft.parameters[key] = value;
    changed();
  };
  if (type === "choice" && choices) {
    const select = h("select", { class: "eow-field" }, ...choices.map((value) => h("option", { value }, value)));
    select.value = draft.parameters[key] ?? "";
    select.addEventListener("change", () => set(select.value));
    return select;
  }
  if (type === "bool") {
    const box = h("input", { type: "checkbox", checked: draft.parameters[key] === "true" });
    box.addEventListener("change", () => set(String(box.checked)));
    return box;
  }
  const input = h("input", { class: "eow-field eow-num", inputmode: type === "floats" ? "text" : "decimal", value: draft.parameters[key] ?? "" });
  input.addEventListener("input", () => set(input.value));
  return input;
}
