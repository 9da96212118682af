package main

import (
	"encoding/base64"
	"hash/crc32"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/lectern-room/lectern/room"
)

// hidden is what no error may show. It is base64, so that a key may have it.
const hidden = "dGhpc0lzSGlkZGVu"

// A hiding puts hidden between two texts, so that it is a secret.
type hiding int

const (
	nothingHidden hiding = iota
	aPassword            // of a user in a URL
	aParameter           // of a URL
	aKey
	hidings
)

func (h hiding) between(before, after string) string {
	return before + [hidings]string{"", ":" + hidden + "@", "password=" + hidden, ":" + hidden}[h] + after
}

// FuzzSettings: whatever a setting is given, either it is taken, and is in
// bounds, or it is refused by its name; and what may be a secret in it is not
// shown.
func FuzzSettings(f *testing.F) {
	var line commandLine
	parser, err := kong.New(&line, kong.Vars{"version": ""})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		f.Fatal(err)
	}
	names := slices.DeleteFunc(knownNames(parser.Model.Flags), func(name string) bool {
		return name == ownPassport || strings.HasSuffix(name, "_FILE")
	})
	for _, name := range names {
		f.Add(name, uint8(nothingHidden), "1", "")
	}
	f.Fuzz(func(t *testing.T, name string, hides uint8, before, after string) {
		if !slices.Contains(names, name) {
			name = names[crc32.ChecksumIEEE([]byte(name))%uint32(len(names))]
		}
		h := hiding(hides) % hidings
		value := h.between(before, after)
		if value == "" || strings.ContainsRune(value, 0) || strings.Contains(before+after, hidden) {
			return // it is not set, no environment has it, or it is not hidden
		}
		given := line.Settings
		given.set(name, value)
		c, err := given.check(newEnvironment([]string{name + "=" + value}))
		switch {
		case err == nil:
			checkConfig(t, c)
		case !strings.Contains(err.Error(), name):
			t.Errorf("%s=%s: the error names another: %v", name, value, err)
		case h.secretIn(name) && strings.Contains(err.Error(), hidden):
			t.Errorf("%s=%s: the error shows what is hidden: %v", name, value, err)
		}
	})
}

// set gives the field that has the variable's name its value, unless only the
// environment may have it.
func (s *settings) set(name, value string) {
	field := strings.ReplaceAll(strings.TrimPrefix(name, "LECTERN_"), "_", "")
	all := reflect.ValueOf(s).Elem()
	for i := range all.NumField() {
		f := all.Type().Field(i)
		if _, secret := f.Tag.Lookup("secret"); !secret && strings.EqualFold(f.Name, field) {
			all.Field(i).SetString(value)
		}
	}
}

// secretIn tells whether what is hidden so is a secret in that setting.
func (h hiding) secretIn(name string) bool {
	switch name {
	case signingKeys, encryptionKeys:
		return h == aKey
	case "LECTERN_POSTGRES_URL", "LECTERN_REDIS_URL":
		return h == aPassword || h == aParameter
	case "LECTERN_PASSPORT_JWKS", "LECTERN_PUBLIC_URL":
		return h == aPassword
	}
	return false
}

// checkConfig checks that what is taken is in bounds.
func checkConfig(t *testing.T, c *config) {
	switch {
	case len(c.instance) < 1 || len(c.instance) > 64,
		c.socketsPerPerson < 1 || c.socketsPerAddress < 0 || c.acceptRate < 0 || c.roomsPerInstructor < 1 || c.codeGuesses[0] < 1 || c.codeGuesses[1] < 1,
		c.postgres.Connections < 4,
		c.drain < 0 || c.retention < 0 || c.retention > 0 && c.retention < leastRetention,
		c.allow == nil || !strings.Contains(c.listen, ":"),
		!slices.Contains([]string{"", "text", "json"}, c.logFormat):
		t.Errorf("taken: %+v", c)
	}
	for _, key := range slices.Concat(c.keys.Signing, c.keys.Encryption) {
		_, secret, _ := strings.Cut(key.Reveal(), ":")
		if n := base64.RawURLEncoding.DecodedLen(len(secret)); n < 32 || !room.ValidUser(key.ID) {
			t.Errorf("key %q of %d bytes was taken", key.ID, n)
		}
	}
}
