import { useEffect, useMemo } from "preact/hooks";
import { Dialog } from "./parts";
import { useWords } from "./state";

/**
 * A key by what is printed on it, in lower case, with "shift+" before a letter
 * that is shifted. A letter typed in another alphabet is that of its key.
 */
export function keyName(event: Pick<KeyboardEvent, "key" | "code" | "shiftKey">): string {
  const letter = /^[a-z]$/i.test(event.key) ? event.key : /^Key([A-Z])$/.exec(event.code)?.[1];
  if (letter) return (event.shiftKey ? "shift+" : "") + letter.toLowerCase();
  return event.key;
}

/** Single keys, for as long as nothing is being typed and no dialog is open. */
export function useShortcuts(keys: { [key: string]: () => void }): void {
  const latest = useMemo(() => ({ keys }), []);
  latest.keys = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing = target.matches("input:not([type=checkbox], [type=radio]), textarea, select");
      if (typing || event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open], .projector")) return;
      const act = latest.keys[keyName(event)];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [latest]);
}

export function Help({ onClose }: { onClose(): void }) {
  const { t } = useWords();
  const groups: [string, [string, string][]][] = [
    [
      t.desk.keysOf.desk,
      [
        ["F", t.desk.keys.project],
        ["/", t.desk.keys.search],
        ["L", t.desk.keys.lock],
        ["C", t.desk.keys.copy],
        ["S", t.schedule.keyStart],
        ["A", t.line.keys.admit],
        ["⇧ A", t.line.keys.admitAll],
        ["?", t.desk.keys.help],
      ],
    ],
    [
      t.desk.keysOf.lists,
      [
        ["↑ ↓", t.desk.keys.arrows],
        ["Enter", t.line.keys.enter],
        ["I", t.record.keys.about],
        ["Delete", t.desk.keys.remove],
        ["X", t.line.keys.refuse],
        ["B", t.line.keys.ban],
      ],
    ],
  ];
  return (
    <Dialog id="help-dialog" title={t.desk.shortcuts} onClose={onClose}>
      <div class="key-groups">
        {groups.map(([name, keys]) => (
          <section key={name}>
            <h3 class="eyebrow">{name}</h3>
            <dl class="keys">
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <div class="actions">
        <button class="primary" onClick={onClose}>
          {t.close}
        </button>
      </div>
    </Dialog>
  );
}
