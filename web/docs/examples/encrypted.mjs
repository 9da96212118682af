// node passport.mjs s42 Kim student 28800 | node encrypted.mjs
import { createCipheriv, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

const [kid, secret] = process.env.LECTERN_PASSPORT_ENCRYPTION_KEYS.split(",")[0].split(":");

function encrypt(passport) {
  const about = JSON.stringify({ alg: "dir", enc: "A256GCM", cty: "JWT", kid });
  const header = Buffer.from(about).toString("base64url");
  const iv = randomBytes(12); // never the same twice with one key
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(secret, "base64"), iv);
  cipher.setAAD(Buffer.from(header));
  const text = Buffer.concat([cipher.update(passport), cipher.final()]);
  const parts = [iv, text, cipher.getAuthTag()].map((part) => part.toString("base64url"));
  return [header, "", ...parts].join("."); // there is no key of its own: dir
}

console.log(encrypt(readFileSync(0, "utf8").trim()));
