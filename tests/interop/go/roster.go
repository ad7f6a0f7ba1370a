package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A roster, as far as it takes to know whose keys count; its text is JSON.
type roster struct {
	Federation string
	Version    int
	Previous   *string
	Threshold  int
	Members    []struct {
		Society    string
		Status     string
		RootKey    string `json:"root_key"`
		LogKey     string `json:"log_key"`
		WitnessKey string `json:"witness_key"`
	}
	hash string
}

// readRosters checks the chain of rosters and returns the keys of logs and witnesses.
func readRosters(dir string) (note.Verifiers, error) {
	var previous *roster
	keys := map[string]note.Verifier{}
	files, err := filepath.Glob(filepath.Join(dir, "roster", "*"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no rosters: %v", err)
	}
	for number := 1; number <= len(files); number++ {
		raw, err := os.ReadFile(filepath.Join(dir, "roster", strconv.Itoa(number)))
		if err != nil {
			return nil, err
		}
		if previous, err = openRoster(raw, previous); err != nil {
			return nil, fmt.Errorf("roster/%d: %v", number, err)
		}
		for _, member := range previous.Members {
			log, err := note.NewVerifier(member.LogKey)
			if err != nil {
				return nil, err
			}
			witness, err := newCosigner(member.WitnessKey)
			if err != nil {
				return nil, err
			}
			keys[member.LogKey], keys[member.WitnessKey] = log, witness
		}
	}
	var list []note.Verifier
	for _, key := range keys {
		list = append(list, key)
	}
	return note.VerifierList(list...), nil
}

// openRoster checks that enough root keys signed: all in the first version, later the threshold of
// the version before and of this one.
func openRoster(raw []byte, previous *roster) (*roster, error) {
	// The keys that sign the first version are in it, so it is read once before it is believed.
	split := strings.LastIndex(string(raw), "\n\n")
	if split < 0 || !strings.HasPrefix(string(raw), "tutti-roster/v1\n") {
		return nil, fmt.Errorf("not a roster")
	}
	text := string(raw[:split+1])
	next := &roster{}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "tutti-roster/v1\n")), next); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(text))
	next.hash = hex.EncodeToString(sum[:])
	if previous == nil {
		if next.Version != 1 || next.Previous != nil {
			return nil, fmt.Errorf("not version 1")
		}
		return next, next.signed(raw, next, len(next.Members))
	}
	if next.Version != previous.Version+1 || next.Previous == nil || *next.Previous != previous.hash {
		return nil, fmt.Errorf("does not follow version %d", previous.Version)
	}
	if err := next.signed(raw, previous, previous.Threshold); err != nil {
		return nil, err
	}
	return next, next.signed(raw, next, next.Threshold)
}

// signed counts the root keys of `by` that signed the roster whose note is `raw`.
func (r *roster) signed(raw []byte, by *roster, needed int) error {
	var keys []note.Verifier
	for _, member := range by.Members {
		if member.Status != "active" {
			continue
		}
		key, err := note.NewVerifier(member.RootKey)
		if err != nil {
			return err
		}
		if key.Name() != by.Federation+"/"+member.Society+"/root" {
			return fmt.Errorf("a root key named %s", key.Name())
		}
		keys = append(keys, key)
	}
	n, err := note.Open(raw, note.VerifierList(keys...))
	if err != nil {
		return err
	}
	if len(n.Sigs) < needed || needed < 1 {
		return fmt.Errorf("%d signatures by version %d; %d needed", len(n.Sigs), by.Version, needed)
	}
	return nil
}
