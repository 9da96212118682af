import { useState } from "preact/hooks";
import type { LecternError, Room } from "../client";
import { Link, Trouble } from "./parts";
import { api } from "./session";
import { useWords } from "./state";

const formats = ["csv", "xlsx", "json"] as const;

/** The attendance record as files, and on a page of its own. Files need the passport, so a plain link would not do. */
export function Downloads({ room, linked }: { room: Pick<Room, "id" | "title">; linked?: boolean }) {
  const { t } = useWords();
  const [error, setError] = useState<LecternError | null>(null);
  const fetchFile = (format: (typeof formats)[number]) => {
    setError(null);
    api()
      .attendanceFile(room.id, format)
      .then((file) => save(file, `${fileName(room.title)}.${format}`))
      .catch(setError);
  };
  return (
    <div class="downloads">
      {linked ? (
        <Link href={`/teach/${room.id}/record`} id="open-record">
          {t.record.title}
        </Link>
      ) : (
        <span>{t.desk.download}</span>
      )}
      {formats.map((format) => (
        <button key={format} class="quiet small" data-testid={"download-" + format} onClick={() => fetchFile(format)}>
          {format.toUpperCase()}
        </button>
      ))}
      <Trouble error={error} id="download-error" />
    </div>
  );
}

/** Without what file systems refuse. */
const fileName = (title: string) => title.replace(/[\\/:*?"<>|\x00-\x1f]+/g, " ").trim() || "attendance";

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
