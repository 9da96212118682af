package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"
)

// What the linker is told where a program is built without its repository, as
// in a container image: -ldflags "-X main.release=v1.2.3 -X main.commit=…".
var release, commit string

type versionCommand struct{}

// Help says what the words are.
func (versionCommand) Help() string {
	return "Prints the version, the commit, and the Go that built it. A version that ends in +dirty was built of files that are in no commit."
}

// Run prints the version.
func (versionCommand) Run(p *program) error {
	_, err := fmt.Fprintln(p.stdout, version())
	return err
}

// version tells which program this is: as the linker was told, else as the Go
// command recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(info, release, commit)
}

func versionOf(info *debug.BuildInfo, release, commit string) string {
	var recorded, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			recorded = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	words := []string{cmp.Or(release, info.Main.Version, "unknown"), cmp.Or(commit, recorded), info.GoVersion}
	if release == "" && !strings.HasSuffix(words[0], dirty) {
		words[0] += dirty
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}
