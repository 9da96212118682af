package main

import (
	"runtime/debug"
	"testing"
)

// TestVersionOf: what the linker was told goes before what the Go command
// recorded, and files that are in no commit are not passed over.
func TestVersionOf(t *testing.T) {
	stamped := func(main, revision, modified string) *debug.BuildInfo {
		info := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: main}}
		if revision != "" {
			info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}
		}
		return info
	}
	for name, test := range map[string]struct {
		info            *debug.BuildInfo
		release, commit string
		want            string
	}{
		"checkout":              {info: stamped("v1.2.3", "abc", "false"), want: "v1.2.3 abc go1.26.0"},
		"changed checkout":      {info: stamped("v0.0.0-2026-abc+dirty", "abc", "true"), want: "v0.0.0-2026-abc+dirty abc go1.26.0"},
		"changed, not recorded": {info: stamped("(devel)", "abc", "true"), want: "(devel)+dirty abc go1.26.0"},
		"image":                 {info: stamped("(devel)", "", ""), release: "v1.2.3", commit: "abc", want: "v1.2.3 abc go1.26.0"},
		"image, told nothing":   {info: stamped("(devel)", "", ""), want: "(devel) go1.26.0"},
		"module":                {info: stamped("v1.2.3", "", ""), want: "v1.2.3 go1.26.0"},
		"nothing recorded":      {info: &debug.BuildInfo{}, want: "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := versionOf(test.info, test.release, test.commit); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
