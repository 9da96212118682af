package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A message is one of the golden files, or an example.
type message = map[string]any

// goldenMessages returns the golden messages by file name without ending.
func goldenMessages(t *testing.T) map[string]message {
	t.Helper()
	files, err := filepath.Glob("../room/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	golden := map[string]message{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden[strings.TrimSuffix(filepath.Base(file), ".json")] = parse(t, string(data))
	}
	return golden
}

func parse(t *testing.T, text string) message {
	t.Helper()
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return m
}

func TestSocketExamplesAreLikeTheGoldenMessages(t *testing.T) {
	golden := goldenMessages(t)
	shown := map[string]bool{}
	for _, text := range readDocument(t, "socket.html").examples {
		example := parse(t, text)
		if example["type"] == nil {
			continue // an object, or a passport
		}
		err := fmt.Errorf("no golden file has this type")
		fit := false
		for name, message := range golden {
			if message["type"] != example["type"] || message["code"] != example["code"] && message["type"] == "error" {
				continue
			}
			if why := fits(example, message, name); why == nil {
				shown[name], fit = true, true // several are alike but for their values
			} else {
				err = why
			}
		}
		if !fit {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	for name := range golden {
		if !shown[name] && !strings.HasPrefix(name, "error-") {
			t.Errorf("%s.json has no example", name)
		}
	}
}

// fits tells how an example differs from a golden message in its fields or
// their kinds. Requests and errors need not have them all.
func fits(example, golden any, at string) error {
	switch golden := golden.(type) {
	case message:
		example, ok := example.(message)
		if !ok && example != nil {
			return fmt.Errorf("%s is an object", at)
		}
		for name, value := range example {
			if _, ok := golden[name]; !ok {
				return fmt.Errorf("%s has no field %s", at, name)
			}
			if err := fits(value, golden[name], at+"."+name); err != nil {
				return err
			}
		}
		return lacks(example, golden, at)
	case []any:
		list, ok := example.([]any)
		if !ok || len(golden) == 0 {
			return fmt.Errorf("%s is a list", at)
		}
		for _, one := range list {
			if err := fits(one, golden[0], at+"[]"); err != nil {
				return err
			}
		}
	default:
		if example != nil && golden != nil && reflect.TypeOf(example) != reflect.TypeOf(golden) {
			return fmt.Errorf("%s is %v, not %v", at, golden, example)
		}
	}
	return nil
}

func lacks(example, golden message, at string) error {
	if strings.HasPrefix(at, "request-") || strings.HasPrefix(at, "error-") {
		return nil
	}
	for name := range golden {
		if _, ok := example[name]; !ok && name != "room_passport" { // only where there is a new code
			return fmt.Errorf("%s.%s is missing", at, name)
		}
	}
	return nil
}

func TestSocketDocumentHasEveryMessage(t *testing.T) {
	ids := readDocument(t, "socket.html").ids
	for name, message := range goldenMessages(t) {
		kind, _, _ := strings.Cut(name, "-")
		what := message["type"]
		switch kind {
		case "reply":
			continue // with its request; that there is an example is tested above
		case "error":
			what = message["code"]
		}
		if id := fmt.Sprintf("%s-%s", kind, what); !slices.Contains(ids, id) {
			t.Errorf("nothing has the id %s", id)
		}
	}
}

// rosterScript plays a watcher's life to the reference implementation.
const rosterScript = `
const assert = require("node:assert/strict");
const asked = [];
const roster = new Roster((since) => asked.push(since));
const entry = (user, online = true) => ({ user, online });
const event = (from, version, changes) =>
  ({ from, version, joined: [], left: [], online: [], offline: [], ...changes });
const is = (version, people) => {
  assert.equal(roster.version, version);
  assert.deepEqual(Object.fromEntries([...roster.people].map(([user, { online }]) => [user, online])), people);
};

roster.watching({ version: 5, roster: [entry("a")], more: true });
is(null, {});
roster.page({ version: 5, roster: [entry("b", false)], more: false });
is(5, { a: true, b: false });
roster.roster(event(5, 6, { joined: [entry("c")], online: ["b"] }));
is(6, { a: true, b: true, c: true });
roster.roster(event(3, 6, { joined: [entry("old")] }));
is(6, { a: true, b: true, c: true });
roster.roster(event(4, 8, { joined: [entry("c", false)], left: [{ user: "a" }] }));
is(8, { b: true, c: false });
roster.roster(event(9, 10, { left: [{ user: "b" }] }));
is(8, { b: true, c: false });
assert.deepEqual(asked, [8]);
roster.watching({ version: 10, deltas: [event(8, 10, { left: [{ user: "b" }], online: ["c"] })] });
is(10, { c: true });
roster.watching({ version: 12, deltas: [] });
roster.watching({ version: 30, roster: [entry("z")], more: false });
is(30, { z: true });
roster.watching({ version: 40, roster: [entry("y")], more: true });
roster.roster(event(40, 41, {}));
assert.deepEqual(asked, [8, null]);
`

func TestReferenceRosterFollowsTheRules(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node on this machine")
	}
	code := readDocument(t, "socket.html").code["reference-code"]
	if code == "" {
		t.Fatal("there is no reference implementation")
	}
	out, err := exec.CommandContext(t.Context(), node, "-e", code+rosterScript).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
