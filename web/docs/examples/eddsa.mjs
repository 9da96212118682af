// node eddsa.mjs signing.pem keys.json s42 Kim student 28800
import { sign } from "node:crypto";
import { readFileSync } from "node:fs";

const [privateFile, setFile, ...who] = process.argv.slice(2);
const { kid } = JSON.parse(readFileSync(setFile, "utf8")).keys[0];

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function passport(sub, name, role, seconds) {
  const exp = Math.floor(Date.now() / 1000) + Number(seconds);
  const claims = { aud: "lectern", sub, name, role, exp };
  const text = part({ alg: "EdDSA", typ: "JWT", kid }) + "." + part(claims);
  const signature = sign(null, Buffer.from(text), readFileSync(privateFile));
  return text + "." + signature.toString("base64url");
}

console.log(passport(...who));
