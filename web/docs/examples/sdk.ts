import { Lectern, LecternError, Roster } from "../../client";

/** Takes a seat and keeps it, through lost connections and restarts of the server. */
export async function attend(url: string, code: string, login: () => Promise<string | null>) {
  const lectern = new Lectern({ url, passport: await login(), freshPassport: login });
  lectern.on("connection", ({ name }) => console.log("connection:", name));
  lectern.on("your_place", ({ state, seat, position }) => console.log(state, seat ?? position));
  lectern.on("room_closed", () => lectern.stop());
  try {
    const reply = await lectern.request("join", { code });
    console.log(reply.type === "joined" ? `seat ${reply.seat}` : `in line: ${reply.position}`);
  } catch (error) {
    if (error instanceof LecternError) console.log("not let in:", error.code, error.message);
  }
  return lectern;
}

/** Follows a room's roster, as its instructor. */
export function follow(url: string, room: string, passport: string) {
  const roster = new Roster(new Lectern({ url, passport }), room);
  roster.subscribe(() => {
    const { taken, online_count } = roster.counts;
    console.log(taken, "seated,", online_count, "online");
  });
  return roster;
}
