package main

import (
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	i := serve(t, "LECTERN_DATA="+t.TempDir())
	ops, public := strings.TrimPrefix(i.ops, "http://"), strings.TrimPrefix(i.address, "http://")
	_, port, _ := strings.Cut(ops, ":")
	for name, test := range map[string]struct {
		environ []string
		args    []string
		says    string
	}{
		"lives":              {[]string{"LECTERN_OPS_LISTEN=" + ops}, nil, `"live"`},
		"is ready":           {[]string{"LECTERN_OPS_LISTEN=" + ops}, []string{"--ready"}, `"ready":true`},
		"listens everywhere": {[]string{"LECTERN_OPS_LISTEN=0.0.0.0:" + port}, nil, `"live"`},
		"no operations":      {[]string{"LECTERN_OPS_LISTEN=", "LECTERN_LISTEN=" + public}, []string{"--ready"}, `"ready":true`},
	} {
		t.Run(name, func(t *testing.T) {
			if out := must(t, test.environ, "", append([]string{"health"}, test.args...)...); !strings.Contains(out, test.says) {
				t.Errorf("it says %s", out)
			}
		})
	}
	if got := try(t, []string{"LECTERN_OPS_LISTEN=127.0.0.1:0"}, "", "health"); got.err == nil {
		t.Errorf("it asked port 0, which says %s", got.stdout)
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	if got := try(t, []string{"LECTERN_OPS_LISTEN=" + ops}, "", "health"); got.err == nil {
		t.Errorf("a dead one says %s", got.stdout)
	}
}

// TestHealthWaits: an instance without its store lives, and is not ready.
func TestHealthWaits(t *testing.T) {
	i := begin(t, "LECTERN_POSTGRES_URL=postgres://127.0.0.1:1/none", "LECTERN_PASSPORT_KEYS=test:"+strings.Repeat("QUJD", 11))
	ops := []string{"LECTERN_OPS_LISTEN=" + strings.TrimPrefix(i.ops, "http://")}
	must(t, ops, "", "health")
	if got := try(t, ops, "", "health", "--ready"); got.err == nil || !strings.Contains(got.err.Error(), "waiting") {
		t.Errorf("says %s and %v", got.stdout, got.err)
	}
}
