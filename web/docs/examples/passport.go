// go run passport.go s42 Kim student 28800
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

var encoding = base64.RawURLEncoding

func part(value any) string {
	text, _ := json.Marshal(value) // maps of plain values always can be
	return encoding.EncodeToString(text)
}

func passport(sub, name, role string, life time.Duration) (string, error) {
	first, _, _ := strings.Cut(os.Getenv("LECTERN_PASSPORT_KEYS"), ",")
	kid, secret, _ := strings.Cut(first, ":")
	key, err := encoding.DecodeString(secret)
	if err != nil {
		return "", err
	}
	header := map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}
	claims := map[string]any{
		"aud": "lectern", "sub": sub, "name": name, "role": role, "exp": time.Now().Add(life).Unix(),
	}
	text := part(header) + "." + part(claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + encoding.EncodeToString(mac.Sum(nil)), nil
}

func main() {
	life, err := time.ParseDuration(os.Args[4] + "s")
	if err == nil {
		var token string
		token, err = passport(os.Args[1], os.Args[2], os.Args[3], life)
		fmt.Println(token)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
