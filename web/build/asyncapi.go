package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// goldenMessages are what the server's and the client's tests are held to.
const goldenMessages = "../room/testdata/*.json"

// describeSocket writes the AsyncAPI document, with the golden messages as
// examples.
func describeSocket(source, target string) error {
	body, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	var document map[string]any
	if err := json.Unmarshal(body, &document); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	messages := document["components"].(map[string]any)["messages"].(map[string]any)
	files, err := filepath.Glob(goldenMessages)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := addExample(messages, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(document); err != nil {
		return err
	}
	return os.WriteFile(target, out.Bytes(), 0o644)
}

// addExample adds a golden message to the message of its kind and type.
func addExample(messages map[string]any, file string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var golden map[string]any
	if err := json.Unmarshal(body, &golden); err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(file), ".json")
	kind, _, _ := strings.Cut(name, "-")
	key := fmt.Sprint(kind, "-", golden["type"])
	if kind == "error" {
		key = kind
	}
	message, found := messages[key].(map[string]any)
	if !found {
		return fmt.Errorf("no message is called %s", key)
	}
	examples, _ := message["examples"].([]any)
	message["examples"] = append(examples, map[string]any{"name": name, "payload": golden})
	return nil
}
