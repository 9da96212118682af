import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Close, Coming, Dialog } from "./parts";
import { useLoaded } from "./state";
import { isolated } from "./text";

interface Subject {
  user: string;
  name: string;
}

interface About {
  open(subject: Subject): void;
  /** The panel, where one is open; it belongs into the page. */
  panel: ComponentChildren;
}

const loadPerson = () => import("./person");

/** Opens what is known of someone in a room, and how they got there. */
export function useAbout(room: string): About {
  const [subject, open] = useState<Subject | null>(null);
  return { open, panel: subject && <Panel room={room} subject={subject} onClose={() => open(null)} /> };
}

function Panel(props: { room: string; subject: Subject; onClose(): void }) {
  const page = useLoaded(loadPerson);
  if (page !== false) return page && <page.PersonOfRoom {...props} />;
  return (
    <Dialog id="person" title={isolated(props.subject.name)} onClose={props.onClose}>
      <Close onClose={props.onClose} />
      <Coming failed />
    </Dialog>
  );
}
