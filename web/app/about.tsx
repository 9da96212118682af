import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useLoaded } from "./state";

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
  return page && <page.PersonOfRoom {...props} />;
}
