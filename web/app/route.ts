import { cleanCode } from "./session";
import type { StudentRoute } from "./student";

export type TeachRoute = { page: "rooms" } | { page: "desk"; id: string } | { page: "record"; id: string };
export type Route = { page: "home" } | StudentRoute | TeachRoute | { page: "lost" };

/** The page at a path. */
export function routeOf(path: string): Route {
  const [, first = "", second, third, ...rest] = partsOf(path);
  const extra = first === "teach" && third === "record" ? rest : [third, ...rest];
  if (extra.some((part) => part !== undefined)) return { page: "lost" };
  if (first === "" && second === undefined) return { page: "home" };
  if (first === "teach") return second ? { page: third ? "record" : "desk", id: second } : { page: "rooms" };
  if (first === "j" && second) return { page: "join", code: cleanCode(second) };
  if (first === "room" && second) return { page: "room", id: second };
  return { page: "lost" };
}

/** An address that was cut off within a character leads nowhere. */
function partsOf(path: string): string[] {
  try {
    return path.replace(/\/$/, "").split("/").map(decodeURIComponent);
  } catch {
    return ["", "?"];
  }
}
