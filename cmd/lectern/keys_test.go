package main

import (
	"crypto/ed25519"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lectern-room/lectern/room"
)

func TestKeysCommand(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(must(t, nil, "", "keys")), "\n")
	c, _, err := read(t, lines)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 || len(c.keys.Signing) != 1 || len(c.keys.Encryption) != 1 {
		t.Errorf("%d lines, %v", len(lines), c.keys)
	}
}

func TestGeneratedKeys(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(folder, "passport-keys")
	revealed := make([]string, 8)
	var wait sync.WaitGroup
	for i := range revealed {
		wait.Go(func() {
			keys, err := generatedKeys(file, "s")
			if err != nil || len(keys) != 1 {
				t.Errorf("%v, %v", keys, err)
				return
			}
			revealed[i] = keys[0].Reveal()
		})
	}
	wait.Wait()
	for _, key := range revealed {
		if key == "" || key != revealed[0] {
			t.Fatalf("different keys: %q", revealed)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Fatalf("left in the folder: %v, %v", entries, err)
	}
	for path, want := range map[string]os.FileMode{folder: 0o700, file: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if err := os.WriteFile(file, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := generatedKeys(file, "s"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a broken file: %v", err)
	}
}

// issuer is someone who signs passports with a key of their own.
type issuer struct {
	signer jose.Signer
	set    []byte
}

func newIssuer(t *testing.T, kid string) issuer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: kid, Key: public}}})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: private}, new(jose.SignerOptions).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	return issuer{signer, set}
}

func (i issuer) passport(t *testing.T) string {
	t.Helper()
	signed, err := i.signer.Sign([]byte(`{"aud":"lectern","sub":"s1","role":"student","exp":4000000000}`))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestJWKSByHTTP(t *testing.T) {
	i := newIssuer(t, "school")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/keys":
			w.Write(i.set)
		case "/huge":
			w.Write(make([]byte, maxJWKS+1))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	folder := t.TempDir()
	data := "LECTERN_DATA=" + folder
	for path, want := range map[string]string{"/keys": "", "/none": "404", "/huge": "more than"} {
		got := try(t, []string{data, "LECTERN_PASSPORT_JWKS=" + server.URL + path}, i.passport(t), "passport", "--verify")
		if (got.err == nil) != (want == "") || got.err != nil && !strings.Contains(got.err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, got.err, want)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("they made %v, %v", entries, err)
	}
}

// A start that fails names the setting to mend.
func TestKeysThatCannotBeHad(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := encryptionKeys + "=long:" + strings.Repeat("c2VjcmV0", 6)
	for want, environ := range map[string][]string{
		"LECTERN_PASSPORT_JWKS: ":     {"LECTERN_DATA=" + folder, "LECTERN_PASSPORT_JWKS=" + filepath.Join(folder, "none")},
		"LECTERN_DATA: ":              {"LECTERN_DATA=" + filepath.Join(file, "data")},
		signingKeys + " is not set: ": {"LECTERN_POSTGRES_URL=postgres://localhost/lectern", "LECTERN_DATA=" + folder},
		encryptionKeys + `: encryption key "long" has 36 bytes: exactly 32`: {"LECTERN_DATA=" + folder, long},
	} {
		if got := try(t, environ, "", "passport", "--user", "u"); got.err == nil || !strings.HasPrefix(got.err.Error(), want) {
			t.Errorf("%v, want %q…", got.err, want)
		}
	}
}

func TestJWKSIsRefreshed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jwks.json")
	put := func(set []byte) {
		if err := os.WriteFile(file, set, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, after := newIssuer(t, "before"), newIssuer(t, "after")
	synctest.Test(t, func(t *testing.T) {
		ring, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{room.NewKey("k")}})
		if err != nil {
			t.Fatal(err)
		}
		put(before.set)
		if err := loadJWKS(t.Context(), ring, file); err != nil {
			t.Fatal(err)
		}
		accepts := func(i issuer) bool {
			synctest.Wait()
			_, err := ring.Parse(i.passport(t), time.Now())
			return err == nil
		}
		go refreshJWKS(t.Context(), ring, file, slog.New(slog.DiscardHandler))
		if put([]byte("rubbish")); !accepts(before) {
			t.Error("the first keys are not known")
		}
		time.Sleep(jwksEvery + time.Second)
		if put(after.set); !accepts(before) {
			t.Error("the keys are gone when their source is")
		}
		time.Sleep(jwksAgain)
		if accepts(before) || !accepts(after) {
			t.Error("the new keys are not known")
		}
	})
}
