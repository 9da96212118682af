package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/servers"
)

// TestRules: Prometheus takes its files, and each alert fires when it is to,
// and not before.
func TestRules(t *testing.T) {
	t.Parallel()
	promtool := need(t, "promtool")
	for _, args := range [][]string{
		{"check", "config", "prometheus/prometheus.yaml"}, // and the rules that it names
		{"test", "rules", "prometheus/rules_test.yaml"},
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// watch: a Prometheus that watches two instances of Lectern finds all that the
// rules and the dashboard ask for.
func (s *school) watch(t *testing.T) {
	program := need(t, "prometheus")
	a, b := s.startTwo(t)
	p := startPrometheus(t, program, a, b)
	p.await(t, `sum(up) == 2`) // a rate takes a look before
	s.lecture(t, a, b)
	p.await(t, `count_over_time(lectern_commands_total{result="room_full"}[1m]) >= 2`) // and of what is new, two after it
	t.Run("rules", p.rules)
	t.Run("dashboard", p.dashboard)
}

// startTwo starts two instances that share their rooms.
func (s *school) startTwo(t *testing.T) (a, b *instance) {
	t.Helper()
	postgres, err := servers.StartPostgres()
	skipWithout(t, err)
	t.Cleanup(func() {
		if err := postgres.Remove(); err != nil {
			t.Error(err)
		}
	})
	redis, err := servers.StartRedis()
	skipWithout(t, err)
	t.Cleanup(func() {
		if err := redis.Stop(); err != nil {
			t.Error(err)
		}
	})
	environ := []string{"LECTERN_POSTGRES_URL=" + postgres.URL(), "LECTERN_REDIS_URL=" + redis.URL()}
	return s.start(t, environ...), s.start(t, environ...)
}

func skipWithout(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, servers.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lecture has happen what the dashboard is about: a room at one instance,
// watched there, to which people come at the other, and refusals, of which the
// last is of somebody who finds no seat.
func (s *school) lecture(t *testing.T, a, b *instance) {
	t.Helper()
	kim := s.pass(t, "kim", room.Instructor)
	status, body := fetch(t, http.MethodPost, "http://"+a.public+"/v1/rooms", kim, `{"title":"Logic","capacity":2}`)
	var opened struct{ Room struct{ ID, Code string } }
	if err := json.Unmarshal([]byte(body), &opened); err != nil || status != http.StatusCreated {
		t.Fatalf("%d: %s (%v)", status, body, err)
	}
	desk := connect(t, "ws://"+a.public, dialing{passport: kim})
	ask(t, desk, fmt.Sprintf(`{"id":1,"type":"watch","room_id":%q}`, opened.Room.ID), `"watching"`)
	ann := connect(t, "ws://"+b.public, dialing{passport: s.pass(t, "ann", room.Student)})
	ask(t, ann, fmt.Sprintf(`{"id":1,"type":"join","code":%q}`, opened.Room.Code), `"joined"`)
	ask(t, desk, `{"id":2,"type":"ping"}`, `"ann"`)                // heard of by way of Redis
	fetch(t, http.MethodGet, "http://"+a.public+"/readyz", "", "") // as when it was started: a rate needs the one before
	if status, body := fetch(t, http.MethodGet, "http://"+b.public+"/v1/me", "none of ours", ""); status != http.StatusUnauthorized {
		t.Errorf("no passport: %d: %s", status, body)
	}
	attend := func(user room.UserID) int {
		status, _ := fetch(t, http.MethodPost, "http://"+b.public+"/v1/attend", s.pass(t, user, room.Student), fmt.Sprintf(`{"code":%q}`, opened.Room.Code))
		return status
	}
	if first, second := attend("ben"), attend("cid"); first != http.StatusCreated || second != http.StatusConflict {
		t.Errorf("the last seat: %d, and one more: %d", first, second)
	}
}

// A prometheus watches instances under the configuration that is here.
type prometheus struct{ address string }

// startPrometheus starts one that looks twice a second, with the instances in
// place of those of the configuration.
func startPrometheus(t *testing.T, program string, instances ...*instance) *prometheus {
	t.Helper()
	folder := t.TempDir()
	config := source(t, "prometheus/prometheus.yaml")
	for i, instance := range instances {
		config = replace(t, config, fmt.Sprintf(`"lectern%d:8081"`, i+1), strconv.Quote(instance.ops))
	}
	config = replace(t, config, fmt.Sprintf(`, "lectern%d:8081"`, len(instances)+1), "")
	config = regexp.MustCompile(`(scrape_interval|scrape_timeout|evaluation_interval): \w+`).ReplaceAllString(config, "$1: 500ms")
	for name, text := range map[string]string{"prometheus.yaml": config, "rules.yaml": source(t, "prometheus/rules.yaml")} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := freeAddress(t)
	p := begin(t, exec.Command(program, "--config.file="+filepath.Join(folder, "prometheus.yaml"),
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address, "--log.level=warn"))
	eventually(t, func() string {
		if status, body := fetch(t, http.MethodGet, "http://"+address+"/-/ready", "", ""); status != http.StatusOK {
			return "Prometheus is not ready: " + body + "\n" + p.said(t)
		}
		return ""
	})
	return &prometheus{address: "http://" + address}
}

// query returns the values that an expression has now.
func (p *prometheus) query(t *testing.T, expression string) (values []float64, err error) {
	t.Helper()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := read(t, p.address+"/api/v1/query?query="+url.QueryEscape(expression), &answer); err != nil {
		return nil, err
	}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// await waits until an expression has a value.
func (p *prometheus) await(t *testing.T, expression string) {
	t.Helper()
	eventually(t, func() string {
		if values, err := p.query(t, expression); err != nil || len(values) == 0 {
			return fmt.Sprintf("%s has no value (%v)", expression, err)
		}
		return ""
	})
}

// rules: each one is evaluated without an error, speaks of metrics that there
// are, and says what to do; and all is well.
func (p *prometheus) rules(t *testing.T) {
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name, Type, Query, Health, LastError, State string
					Labels, Annotations                         map[string]string
				}
			}
		}
	}
	eventually(t, func() string {
		if err := read(t, p.address+"/api/v1/rules", &answer); err != nil {
			return err.Error()
		}
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "unknown" {
					return r.Name + " has not been evaluated"
				}
			}
		}
		return ""
	})
	exist, tests := p.metrics(t), source(t, "prometheus/rules_test.yaml")
	alerts := 0
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" {
				t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
			}
			for _, name := range namesIn(r.Query) {
				if !slices.Contains(exist, name) {
					t.Errorf("%s asks for %s, which there is not", r.Name, name)
				}
			}
			if r.Type != "alerting" {
				continue
			}
			alerts++
			for _, name := range []string{"summary", "description", "runbook"} {
				if r.Annotations[name] == "" {
					t.Errorf("%s has no %s", r.Name, name)
				}
			}
			if severity := r.Labels["severity"]; severity != "critical" && severity != "warning" {
				t.Errorf("%s has the severity %q", r.Name, severity)
			}
			if !strings.Contains(tests, `alertname="`+r.Name+`"`) {
				t.Errorf("%s is not tested", r.Name)
			}
			if r.State == "firing" {
				t.Errorf("%s fires", r.Name)
			}
		}
	}
	if alerts == 0 {
		t.Error("there is no alert")
	}
}

// dashboard: each of its queries has an answer, and it shows all metrics that
// the README has.
func (p *prometheus) dashboard(t *testing.T) {
	variables := strings.NewReplacer("$job", "lectern", "$instance", ".*", "$__rate_interval", "1m")
	var all strings.Builder
	for title, expression := range dashboardQueries(t) {
		values, err := p.query(t, variables.Replace(expression))
		if err != nil {
			t.Errorf("%s: %v", title, err)
		}
		if !slices.ContainsFunc(values, func(v float64) bool { return !math.IsNaN(v) }) {
			t.Errorf("%s: nothing is shown of %s", title, expression)
		}
		all.WriteString(expression)
	}
	shown := namesIn(all.String())
	for _, name := range readmeMetrics(t) {
		if !slices.ContainsFunc(shown, func(s string) bool { return ofHistogram.ReplaceAllString(s, "") == "lectern_"+name }) {
			t.Errorf("%s is in the README and not on the dashboard", name)
		}
	}
}

// dashboardQueries are the dashboard's queries by where they are.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(source(t, "grafana/lectern.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			queries[fmt.Sprintf("%s (panel %d %s)", p.Title, p.ID, q.RefID)] = q.Expr
		}
	}
	if len(queries) == 0 {
		t.Fatal("the dashboard asks for nothing")
	}
	return queries
}

var (
	metricName  = regexp.MustCompile(`\b(?:lectern|process|go)_\w+`)
	ofHistogram = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// namesIn returns the metrics that an expression speaks of, those aside that
// a rule has recorded.
func namesIn(expression string) []string {
	recorded := regexp.MustCompile(`\bjob:\w+:\w+`)
	return metricName.FindAllString(recorded.ReplaceAllString(expression, ""), -1)
}

// metrics are the names of all that Prometheus has seen.
func (p *prometheus) metrics(t *testing.T) []string {
	t.Helper()
	var answer struct{ Data []string }
	if err := read(t, p.address+"/api/v1/label/__name__/values", &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data
}

// readmeMetrics are the names of the README's table of metrics.
func readmeMetrics(t *testing.T) (names []string) {
	t.Helper()
	_, section, _ := strings.Cut(source(t, "../README.md"), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, name := range regexp.MustCompile("`(\\w+)").FindAllStringSubmatch(cells[1], -1) {
				names = append(names, name[1])
			}
		}
	}
	if len(names) < 30 {
		t.Fatalf("the README has the metrics %q", names)
	}
	return names
}

func source(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// replace puts something in the place of what must be there.
func replace(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %s in\n%s", old, text)
	}
	return strings.ReplaceAll(text, old, with)
}
