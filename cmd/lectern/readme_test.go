package main

import (
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/lectern-room/lectern/room"
)

// tableOf returns the cells of a section's first table in the README, without
// its head.
func tableOf(t *testing.T, section string) (rows [][]string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| ") {
			rows = append(rows, strings.Split(strings.Trim(line, "| \n"), " | "))
		} else if len(rows) > 0 && strings.TrimSpace(line) == "" {
			break
		}
	}
	if len(rows) < 3 {
		t.Fatalf("no table in the section %s", section)
	}
	return rows[2:]
}

// modelOf returns what the program takes on its command line.
func modelOf(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&commandLine{}, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// TestReadmeSettings: the README has every setting, no other, and the defaults
// that the program has. Those without one in the flag depend on the store.
func TestReadmeSettings(t *testing.T) {
	depends := map[string]string{
		"LECTERN_PUBLIC_URL": "from the request", "LECTERN_POSTGRES_URL": "none", "LECTERN_REDIS_URL": "none", "LECTERN_INSTANCE": "random",
		signingKeys: "generated; on Postgres required", encryptionKeys: "generated; on Postgres none", "LECTERN_PASSPORT_JWKS": "none",
		"LECTERN_GUESTS": "`true`; on Postgres `false`", "LECTERN_HOSTS": "loopback names", "LECTERN_ORIGINS": "loopback names; on Postgres none",
		"LECTERN_TRUSTED_PROXIES": "none", "LECTERN_LOG_FORMAT": "`text` on a terminal, else `json`",
	}
	for _, flag := range modelOf(t).Flags {
		switch {
		case !isSetting(flag):
		case flag.HasDefault:
			depends[environmentName(flag.Name)] = "`" + flag.Default + "`"
		case depends[environmentName(flag.Name)] == "":
			t.Errorf("%s has no default, and this test does not know why", environmentName(flag.Name))
		}
	}
	for _, row := range tableOf(t, "Settings") {
		name := strings.Trim(row[0], "`")
		value, _, _ := strings.Cut(row[1], ":")
		if strings.HasPrefix(row[1], "`") && !strings.Contains(row[1], "` ") && !strings.Contains(row[1], ";") {
			value = "`" + strings.Split(row[1], "`")[1] + "`"
		}
		if want, ok := depends[name]; !ok || value != want {
			t.Errorf("the README has %s with %s; the program %q", name, row[1], want)
		}
		if len(row) < 3 || strings.TrimSpace(row[2]) == "" {
			t.Errorf("the README does not say what %s means", name)
		}
		delete(depends, name)
	}
	if len(depends) > 0 {
		t.Errorf("the README lacks %v", slices.Sorted(maps.Keys(depends)))
	}
}

// TestReadmeCommands: the README has every command, and no other.
func TestReadmeCommands(t *testing.T) {
	told := map[string]bool{}
	for _, row := range tableOf(t, "Commands") {
		told[strings.TrimRight(strings.Fields(row[0])[1], "`,")] = true
	}
	for _, command := range modelOf(t).Children {
		if !told[command.Name] {
			t.Errorf("the README lacks lectern %s: it has %v", command.Name, told)
		}
		if command.Help == "" {
			t.Errorf("lectern --help does not say what %s does", command.Name)
		}
	}
	if len(told) != len(modelOf(t).Children) {
		t.Errorf("the README has %v", told)
	}
}

// A family is what is measured under one name.
type family struct {
	kind   string
	labels []string // in the order of their names
}

// typeOfMetric is what Prometheus calls a metric of such a name here.
func typeOfMetric(name string) string {
	switch {
	case strings.HasSuffix(name, "_total"):
		return "counter"
	case strings.HasSuffix(name, "_seconds"), name == "batch_commands":
		return "histogram"
	}
	return "gauge"
}

// TestReadmeMetrics: an instance that has been at work shows every metric that
// the README has, with these labels, of the kind that the name tells, and none
// besides.
func TestReadmeMetrics(t *testing.T) {
	want := map[string]family{}
	for _, row := range tableOf(t, "Metrics") {
		for _, found := range regexp.MustCompile("`(\\w+)(?:\\{([\\w,]+)\\})?`").FindAllStringSubmatch(row[0], -1) {
			f := family{kind: typeOfMetric(found[1])}
			if found[2] != "" {
				f.labels = strings.Split(found[2], ",")
			}
			slices.Sort(f.labels)
			want[found[1]] = f
		}
	}
	s := newSharing(t)
	i := begin(t, s.environ...)
	readiness(t, i, http.StatusOK, allUp)
	s.join(t, i, "ann", s.open(t, i, "t1"))
	fetch(t, "GET", i.address+"/v1/me", "not a passport", "", nil)
	_, text := fetch(t, "GET", i.ops+"/metrics", "", "", nil)
	got := familiesOf(text)
	for name, f := range want {
		if has := got[name]; has.kind != f.kind || !slices.Equal(has.labels, f.labels) {
			t.Errorf("%s is to be a %s with %q, and is %q with %q", name, f.kind, f.labels, has.kind, has.labels)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("the README lacks %s", name)
		}
	}
	for _, other := range []string{"go_goroutines", "process_open_fds"} {
		if !strings.Contains(text, "\n"+other+" ") {
			t.Errorf("there is no %s", other)
		}
	}
}

// familiesOf reads this program's metrics in Prometheus's text format. A histogram's
// bounds are no label.
func familiesOf(text string) map[string]family {
	families := map[string]family{}
	sample := regexp.MustCompile(`^lectern_(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$`)
	label := regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if kind, ok := strings.CutPrefix(line, "# TYPE lectern_"); ok {
			name, kind, _ := strings.Cut(kind, " ")
			families[name] = family{kind: kind}
		}
		found := sample.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		f := families[found[1]]
		for _, l := range label.FindAllStringSubmatch(found[2], -1) {
			if l[1] != "le" && !slices.Contains(f.labels, l[1]) {
				f.labels = append(f.labels, l[1])
			}
		}
		slices.Sort(f.labels)
		families[found[1]] = f
	}
	return families
}

// TestSettingsAreAccepted: each way in which a secret, a key or an address may
// be given.
func TestSettingsAreAccepted(t *testing.T) {
	key := room.NewKey("k")
	name, encoded, _ := strings.Cut(key.Reveal(), ":")
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(encoded)
	for _, text := range []string{encoded, encoded + "=", standard, standard + "="} {
		c, _, err := read(t, []string{signingKeys + "=" + name + ":" + text})
		if err != nil || len(c.keys.Signing) != 1 || c.keys.Signing[0].Reveal() != key.Reveal() {
			t.Errorf("a key as %s: %v", text[len(text)-4:], err)
		}
	}
	for _, flag := range modelOf(t).Flags {
		if !isSetting(flag) || !flag.HasDefault {
			continue
		}
		variable, _, err := read(t, []string{environmentName(flag.Name) + "=" + flag.Default})
		byFlag, _, flagErr := read(t, nil, "--"+flag.Name+"="+flag.Default)
		if err != nil || flagErr != nil {
			t.Errorf("the default of %s is refused: %v, %v", flag.Name, err, flagErr)
			continue
		}
		variable.instance, byFlag.instance = "", "" // random
		if !reflect.DeepEqual(variable, byFlag) {
			t.Errorf("%s is another thing as a variable than as a flag", flag.Name)
		}
	}
}
