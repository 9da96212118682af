// java Passport.java s42 Kim student 28800
import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

class Passport {
    static String part(String json) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(json.getBytes(UTF_8));
    }

    static String quote(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    static String passport(String sub, String name, String role, long seconds)
            throws Exception {
        String[] key = System.getenv("LECTERN_PASSPORT_KEYS").split(",")[0].split(":");
        long exp = System.currentTimeMillis() / 1000 + seconds;
        String header = "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":" + quote(key[0]) + "}";
        String claims = "{\"aud\":\"lectern\",\"sub\":" + quote(sub) + ",\"name\":" + quote(name)
            + ",\"role\":" + quote(role) + ",\"exp\":" + exp + "}";
        String text = part(header) + "." + part(claims);
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(Base64.getUrlDecoder().decode(key[1]), "HmacSHA256"));
        byte[] signature = mac.doFinal(text.getBytes(UTF_8));
        return text + "." + Base64.getUrlEncoder().withoutPadding().encodeToString(signature);
    }

    public static void main(String[] args) throws Exception {
        System.out.println(passport(args[0], args[1], args[2], Long.parseLong(args[3])));
    }
}
