package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestProofsAreThere: the code has every test that the proofs name, the
// README names one of them beside each promise that they guard, and every
// promise is guarded.
func TestProofsAreThere(t *testing.T) {
	_, readme, _ := strings.Cut(source(t, "../../README.md"), "## What it promises")
	readme, _, _ = strings.Cut(readme, "\n## ")
	guarded := map[int]bool{}
	for _, p := range proofs() {
		var names []string
		for _, test := range p.tests {
			code := sources(t, filepath.Join("..", "..", test.folder, "*_test.go"))
			for _, name := range test.names {
				if !strings.Contains(code, "\nfunc "+name+"(") {
					t.Errorf("%s: %s has no %s", p.title, test.folder, name)
				}
				names = append(names, "`"+name+"`")
			}
		}
		for _, promise := range p.promises {
			guarded[promise] = true
			_, row, found := strings.Cut(readme, fmt.Sprintf("\n| %d | ", promise))
			row, _, _ = strings.Cut(row, "\n")
			if !found || !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(row, name) }) {
				t.Errorf("%s: the README does not say that it guards promise %d", p.title, promise)
			}
		}
	}
	for n := 1; strings.Contains(readme, fmt.Sprintf("\n| %d | ", n)); n++ {
		if !guarded[n] {
			t.Errorf("no proof is of promise %d", n)
		}
	}
}

func source(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sources(t *testing.T, pattern string) (text string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	for _, file := range files {
		text += "\n" + source(t, file)
	}
	return text
}

func TestShareOf(t *testing.T) {
	short := job{test: of("room", "TestA")}
	three, one := job{test: long(3, "room", "TestB")}, job{test: long(1, "room", "TestC")}
	for name, test := range map[string]struct {
		jobs []job
		left time.Duration
		want time.Duration
	}{
		"knows":        {[]job{short, three}, time.Hour, noShare},
		"first":        {[]job{three, one}, time.Hour, 45 * time.Minute},
		"last":         {[]job{one}, time.Hour, time.Hour},
		"nothing left": {[]job{three, one}, -time.Minute, leastShare},
	} {
		if got := shareOf(test.jobs, test.left); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// said is what `go test -json` says of a test.
func said(test string, actions ...string) string {
	var b strings.Builder
	for _, a := range actions {
		if action, output, is := strings.Cut(a, " "); is {
			fmt.Fprintf(&b, "{\"Action\":%q,\"Test\":%q,\"Output\":%q}\n", action, test, output)
		} else {
			fmt.Fprintf(&b, "{\"Action\":%q,\"Test\":%q}\n", action, test)
		}
	}
	return b.String()
}

func TestJudge(t *testing.T) {
	a, both, fuzz := of("room", "TestA"), of("room", "TestA", "TestB"), long(1, "room", "FuzzA")
	failed := errors.New("exit status 1")
	const proved, fuzzed = "output     a_test.go:7: proved: 3 of 3\n", "output fuzz: elapsed: 9s, execs: 812 (90/sec), new interesting: 1 (total: 40)\n"
	late := []string{"run", fuzzed, "output --- FAIL: FuzzA (9.01s)\n", "output     context deadline exceeded\n"}
	for name, test := range map[string]struct {
		test
		said   string
		err    error
		fault  string
		proved string
		output string
	}{
		"holds":            {a, said("TestA", "run", proved, "pass"), nil, "", "3 of 3", ""},
		"in a part of it":  {a, said("TestA", "run") + said("TestA/b", "run", proved, "pass") + said("TestA", "pass"), nil, "", "3 of 3", ""},
		"fails":            {a, said("TestA", "run", proved, "output why\n", "fail"), failed, "TestA failed", "", "why"},
		"one of two fails": {both, said("TestA", "run", proved, "pass") + said("TestB", "run", "output why\n", "fail"), failed, "TestB failed", "3 of 3", "why"},
		"not there":        {a, said("", "output no tests to run\n"), nil, "TestA was not run", "", "no tests to run"},
		"one not there":    {both, said("TestB", "run", proved, "pass"), nil, "TestA was not run", "3 of 3", ""},
		"skipped":          {a, said("TestA", "run", "output no Postgres\n", "skip"), nil, "TestA was skipped", "", "no Postgres"},
		"skipped in part":  {a, said("TestA", "run") + said("TestA/b", "run", "skip") + said("TestA", proved, "pass"), nil, "TestA was skipped", "", ""},
		"says nothing":     {a, said("TestA", "run", "pass"), nil, "TestA does not say what it proved", "", ""},
		"package fails":    {a, said("TestA", "run", proved, "pass") + said("", "output goleak: one\n", "fail"), failed, "go test: exit status 1", "3 of 3", "goleak"},
		"does not compile": {a, said("", "build-output a.go:1: no\n", "fail"), failed, "TestA was not run", "", "a.go:1"},
		"no JSON":          {a, "panic", nil, "TestA was not run", "", ""},
		"fuzz":             {fuzz, said("FuzzA", "run", fuzzed, fuzzed, "pass"), nil, "", "812 inputs in 9s, of which 40 differ in what they reach: 0 failed", ""},
		"fuzz, old":        {fuzz, said("FuzzA", "run", "output fuzz: elapsed: 9s, gathering baseline coverage: 7/40 completed\n", "pass"), nil, "", "only 7 known inputs were tried again, in 9s", ""},
		"fuzz, late":       {fuzz, said("FuzzA", append(late, "fail")...), failed, "", "812 inputs in 9s", ""},
		"fuzz fails":       {fuzz, said("FuzzA", append(late, "output Failing input written to x\n", "fail")...), failed, "FuzzA failed", "", "written to x"},
		"fuzz, nothing":    {fuzz, said("FuzzA", "run", "pass"), nil, "FuzzA does not say", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, o := newHearing(), outcome{test: test.test}
			err := h.read(strings.NewReader(test.said))
			if test.err != nil {
				err = test.err
			}
			o.judge(h, err)
			faults, proved := strings.Join(o.faults, "; "), fmt.Sprint(o.proved)
			if (faults == "") != (test.fault == "") || !strings.Contains(faults, test.fault) {
				t.Errorf("wrong: %q, want %q", faults, test.fault)
			}
			if (len(o.proved) == 0) != (test.proved == "") || !strings.Contains(proved, test.proved) {
				t.Errorf("proved: %s, want %q", proved, test.proved)
			}
			if (o.output == "") && test.output != "" || !strings.Contains(o.output, test.output) {
				t.Errorf("output: %q, want %q", o.output, test.output)
			}
		})
	}
}

func TestReport(t *testing.T) {
	r := &report{results: []result{
		{proof{title: "good", cause: "many tries", must: "it holds", promises: []int{1, 4}, tests: []test{of("room", "TestA")}}, []outcome{
			{took: time.Minute, proved: []line{{"TestA", "3 of 3; seed 5"}}},
		}},
		{proof{title: "bad", cause: "one try", must: "it holds", tests: []test{of("room", "TestB"), of("hub", "TestC")}}, []outcome{
			{command: "go test ./room", faults: []string{"TestB failed"}, output: "why\n" + strings.Repeat("x", maxOutput) + "\nlast"},
		}},
	}}
	text := r.markdown()
	for _, want := range []string{
		"| verdict | **1 of 2 do not hold:** bad |", "## 1. Good: holds\n\nMany tries.", "(Promises 1 and 4 of the README.)",
		"- `TestA`: 3 of 3; seed 5.\n\nTook 1m0s.", "## 2. Bad: DOES NOT HOLD", "\n1 of 2 tests were not come to.",
		"**TestB failed.** Again: `go test ./room`\n\n````\nwhy\n", "\nlast\n````\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the report:\n%.2000s", want, text)
		}
	}
	if r.results = r.results[:1]; !strings.Contains(r.markdown(), "| verdict | all 1 hold |") {
		t.Errorf("the verdict of\n%s", r.markdown())
	}
}
