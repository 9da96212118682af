/** Takes a seat and keeps it through lost connections; tell hears every message. */
export function takeSeat(server, passport, joinCode, tell) {
  let room = null, tries = 0, notBefore = 0, lastId = 0;
  const address = server.replace(/^http/, "ws") + "/v1/socket";
  const useless = [1000, 1002, 1003, 1007, 1008, 1009, 4001, 4003]; // to come back after these

  function dial() {
    const socket = new WebSocket(address, ["lectern.v1", "passport." + passport]);
    const ask = (type, more) => socket.send(JSON.stringify({ ...more, type, id: ++lastId }));
    let began = Infinity, pinging;
    socket.onopen = () => {
      began = Date.now();
      pinging = setInterval(() => ask("ping"), 20_000);
    };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "hello") ask("join", room ? { room_id: room } : { code: joinCode });
      if (["joined", "waiting_for_seat"].includes(message.type)) room = message.room.id;
      if (message.type === "draining") notBefore = Date.now() + message.reconnect_after_ms;
      tell(message);
    };
    socket.onclose = ({ code }) => {
      clearInterval(pinging);
      if (useless.includes(code)) return tell({ type: "stopped", code });
      if (Date.now() - began > 5_000) tries = 0;
      const wait = Math.random() * Math.min(20_000, 500 * 2 ** tries++);
      setTimeout(dial, Math.max(wait, notBefore - Date.now()));
    };
  }
  dial();
}
