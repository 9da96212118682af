package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// ran is what a command line came to.
type ran struct {
	stdout, stderr string
	err            error
}

// try carries out a command line with no other environment than this.
func try(t *testing.T, environ []string, stdin string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, environ, strings.NewReader(stdin), &stdout, &stderr)
	return ran{stdout.String(), stderr.String(), err}
}

// must is try of what has to work.
func must(t *testing.T, environ []string, stdin string, args ...string) string {
	t.Helper()
	got := try(t, environ, stdin, args...)
	if got.err != nil {
		t.Fatalf("lectern %q: %v\n%s", args, got.err, got.stdout)
	}
	return got.stdout
}

// TestHelpAndVersion: a page in which a newcomer finds every command, all
// settings where they belong, and an example of each command.
func TestHelpAndVersion(t *testing.T) {
	overview := must(t, nil, "", "--help")
	if lines := strings.Count(overview, "\n"); lines > 60 {
		t.Errorf("%d lines are no page:\n%s", lines, overview)
	}
	for _, want := range []string{"\nInstances\n", "lectern doctor", "lectern serve --help", "LECTERN_POSTGRES_URL=postgres://"} {
		if !strings.Contains(overview, want) {
			t.Errorf("lectern --help lacks %q:\n%s", want, overview)
		}
	}
	settings := must(t, nil, "", "serve", "--help")
	for _, flag := range modelOf(t).Flags {
		if isSetting(flag) && (!strings.Contains(settings, "--"+flag.Name) || !strings.Contains(settings, environmentName(flag.Name))) {
			t.Errorf("lectern serve --help lacks --%s:\n%s", flag.Name, settings)
		}
	}
	for _, command := range modelOf(t).Children {
		if !strings.Contains(overview, "\n  "+command.Name+" ") {
			t.Errorf("lectern --help lacks %s:\n%s", command.Name, overview)
		}
		out := must(t, nil, "", command.Name, "--help")
		if command.Name != "version" && !strings.Contains(out, "Example") {
			t.Errorf("lectern %s --help has no example:\n%s", command.Name, out)
		}
		if command.Name != "serve" && !strings.Contains(out, "lectern serve --help") {
			t.Errorf("lectern %s --help does not say where the settings are:\n%s", command.Name, out)
		}
	}
	if flag, command := must(t, nil, "", "--version"), must(t, nil, "", "version"); flag != command || strings.TrimSpace(flag) == "" {
		t.Errorf("versions %q and %q", flag, command)
	}
	if got := try(t, nil, "", "sreve"); got.err == nil {
		t.Error("an unknown command was carried out")
	}
}

func TestPassportCommand(t *testing.T) {
	environ := strings.Split(strings.TrimSpace(must(t, nil, "", "keys")), "\n")
	environ = append(environ, "LECTERN_DATA="+filepath.Join(t.TempDir(), "none"))
	for name, args := range map[string][]string{
		"plain":     {"--name", "Kim", "--role", "instructor"},
		"encrypted": {"--name", "Kim", "--role", "instructor", "--encrypt"},
		"for a day": {"--name", "Kim", "--role", "instructor", "--ttl", "24h"},
	} {
		t.Run(name, func(t *testing.T) {
			token := must(t, environ, "", append([]string{"passport", "--user", "t1"}, args...)...)
			found := must(t, environ, token, "passport", "--verify")
			if want := `a valid passport for instructor "t1", shown as "Kim", until 2`; !strings.HasPrefix(found, want) {
				t.Errorf("verified as %q, want %q…", found, want)
			}
		})
	}

	var sealed struct {
		Passport  string    `json:"passport"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(must(t, environ, "", "passport", "--user", "s1", "--ttl", "1m", "--json")), &sealed); err != nil {
		t.Fatal(err)
	}
	var found finding
	if err := json.Unmarshal([]byte(must(t, environ, sealed.Passport+"\n", "passport", "--verify", "--json")), &found); err != nil {
		t.Fatal(err)
	}
	want := finding{Valid: true, Kind: "user", User: "s1", Name: "s1", Role: "student", ExpiresAt: sealed.ExpiresAt}
	if found != want || time.Until(sealed.ExpiresAt) > time.Minute {
		t.Errorf("found %+v, want %+v", found, want)
	}
	if _, err := os.Stat(strings.TrimPrefix(environ[2], "LECTERN_DATA=")); err == nil {
		t.Error("keys were generated beside those configured")
	}
}

func TestPassportCommandRefusals(t *testing.T) {
	environ := []string{"LECTERN_DATA=" + t.TempDir()}
	must(t, environ, "", "passport", "--user", "t1") // which makes the keys
	for name, test := range map[string]struct {
		stdin string
		args  []string
		err   string
	}{
		"no user":   {"", []string{"--name", "Kim"}, "--user"},
		"bad role":  {"", []string{"--user", "t1", "--role", "admin"}, `"instructor" and "student"`},
		"bad name":  {"", []string{"--user", "t1", "--name", "a\tb"}, "1 to 80 characters"},
		"no time":   {"", []string{"--user", "t1", "--ttl", "0s"}, "--ttl"},
		"no token":  {"", []string{"--verify"}, "there is none"},
		"no base64": {"a b", []string{"--verify"}, "base64url"},
		"stranger":  {strings.TrimSpace(must(t, []string{"LECTERN_DATA=" + t.TempDir()}, "", "passport", "--user", "s1")), []string{"--verify"}, "kid"},
	} {
		t.Run(name, func(t *testing.T) {
			got := try(t, environ, test.stdin, append([]string{"passport"}, test.args...)...)
			if got.err == nil || !strings.Contains(got.err.Error(), test.err) {
				t.Fatalf("error %v, want %q", got.err, test.err)
			}
		})
	}
	got := try(t, environ, "x.y.z", "passport", "--verify", "--json")
	var found finding
	if err := json.Unmarshal([]byte(got.stdout), &found); err != nil || got.err == nil || found.Reason == "" || found.Detail == "" {
		t.Errorf("found %s (%v), error %v", got.stdout, err, got.err)
	}
}

func TestVerifyRoomPassports(t *testing.T) {
	key := room.NewKey("k")
	ring, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{key}})
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{signingKeys + "=" + key.Reveal(), "LECTERN_DATA=" + t.TempDir()}
	token := func(expires time.Time) string {
		token, err := ring.Invite(room.Invitation{Room: "01JROOM", ExpiresAt: expires})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if out := must(t, environ, token(time.Now().Add(time.Hour)), "passport", "--verify"); !strings.Contains(out, "room 01JROOM") {
		t.Errorf("verified as %q", out)
	}
	got := try(t, environ, token(time.Now().Add(-time.Hour)), "passport", "--verify")
	if got.err == nil || !strings.Contains(got.err.Error(), "expired") {
		t.Errorf("expired one: %v", got.err)
	}
}

// TestPassportWithoutKeys: who only asks makes no keys, by which nothing could
// be told; who makes a passport hears of it.
func TestPassportWithoutKeys(t *testing.T) {
	folder := t.TempDir()
	environ := []string{"LECTERN_DATA=" + folder}
	fails(t, try(t, environ, "x.y.z", "passport", "--verify"), "no keys in "+folder)
	fails(t, try(t, environ, "", "watch", "--user", "t1", "K7QF3MXD"), "no keys in "+folder)
	known := signingKeys + "=" + newKey("s").Reveal()
	sealed := must(t, append(environ, known, encryptionKeys+"="+newKey("e").Reveal()), "", "passport", "--user", "t1")
	must(t, append(environ, known), sealed, "passport", "--verify")
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("they made %v, %v", entries, err)
	}
	if got := try(t, environ, "", "passport", "--user", "t1"); got.err != nil || !strings.Contains(got.stderr, "New keys are made in "+folder) {
		t.Errorf("the first passport: %+v", got)
	}
	if got := try(t, environ, "", "passport", "--user", "t1"); got.err != nil || got.stderr != "" {
		t.Errorf("the second passport: %+v", got)
	}
}

func TestMigrateCommand(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	environ := []string{"LECTERN_DATA=" + folder}
	if out := must(t, environ, "", "migrate", "--check"); !strings.Contains(out, "no store") {
		t.Errorf("check of nothing: %q", out)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("the check made the folder")
	}
	if out := must(t, environ, "", "migrate", "--check", "--json"); out != `{"done":false,"migrations":[],"store":false}`+"\n" {
		t.Errorf("check of nothing, for programs: %q", out)
	}
	if out := must(t, environ, "", "migrate", "--json"); !strings.HasPrefix(out, `{"done":true,"migrations":["00001_rooms.sql"],"store":true}`) {
		t.Errorf("for programs: %q", out)
	}
	folder = t.TempDir()
	environ = []string{"LECTERN_DATA=" + folder}
	if out := must(t, environ, "", "migrate", "--check"); !strings.Contains(out, "no store") {
		t.Errorf("check of an empty folder: %q", out)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("the check made %v, %v", entries, err)
	}
	if out := must(t, environ, "", "migrate"); !strings.HasPrefix(out, "done: ") {
		t.Errorf("first: %q", out)
	}
	for _, args := range [][]string{{"migrate"}, {"migrate", "--check"}} {
		if out := must(t, environ, "", args...); out != "the schema is up to date\n" {
			t.Errorf("lectern %q: %q", args, out)
		}
	}
}
