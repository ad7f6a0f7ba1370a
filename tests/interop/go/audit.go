// Audit checks an exported log with Go's own golang.org/x/mod/sumdb/note and tlog, the code behind
// Go's checksum database: signatures of the checkpoint and of every head, inclusion of every entry,
// consistency between all heads, and tlog-proof files. It holds none of Tutti's code.
//
//	audit EXPORT [FILE.tlog-proof ...]
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A head is a checkpoint whose signatures were checked.
type head struct {
	place     string
	origin    string
	tree      tlog.Tree
	witnesses []string
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: audit EXPORT [FILE.tlog-proof ...]")
		os.Exit(2)
	}
	if err := audit(os.Args[1], os.Args[2:]); err != nil {
		fmt.Println("WRONG ", err)
		os.Exit(1)
	}
}

func audit(dir string, proofs []string) error {
	known, err := readRosters(dir)
	if err != nil {
		return err
	}
	heads, err := readHeads(dir, known)
	if err != nil {
		return err
	}
	newest := heads[0]
	reader := tlog.TileHashReader(newest.tree, &files{dir: dir, seen: map[string][]byte{}})
	entries, err := readEntries(dir, newest.tree, reader)
	if err != nil {
		return err
	}
	if err := checkConsistency(heads, reader); err != nil {
		return err
	}
	cosignatures := 0
	for _, file := range proofs {
		under, err := checkProof(file, newest.origin, known, entries)
		if err != nil {
			return fmt.Errorf("%s: %v", filepath.Base(file), err)
		}
		cosignatures += len(under.witnesses)
	}
	for _, h := range heads {
		cosignatures += len(h.witnesses)
	}
	fmt.Printf("%s: entries %d; heads %d; cosignatures %d; proofs %d\n",
		newest.origin, len(entries), len(heads), cosignatures, len(proofs))
	return nil
}

// readHeads reads the checkpoint, then every head that a witness cosigned.
func readHeads(dir string, known note.Verifiers) ([]head, error) {
	paths := []string{"checkpoint"}
	found, err := filepath.Glob(filepath.Join(dir, "heads", "*"))
	if err != nil {
		return nil, err
	}
	sort.Strings(found)
	for _, path := range found {
		paths = append(paths, "heads/"+filepath.Base(path))
	}
	var heads []head
	for _, path := range paths {
		raw, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		h, err := openHead(raw, known)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", path, err)
		}
		h.place = path
		if len(heads) > 0 && h.origin != heads[0].origin {
			return nil, fmt.Errorf("%s is of %s", path, h.origin)
		}
		if path != "checkpoint" && !contains(h.witnesses, filepath.Base(path)) {
			return nil, fmt.Errorf("%s is not cosigned by that society", path)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

func contains(list []string, wanted string) bool {
	for _, item := range list {
		if item == wanted {
			return true
		}
	}
	return false
}

// openHead checks a head's signatures: the log's own must be among them.
func openHead(raw []byte, known note.Verifiers) (head, error) {
	n, err := note.Open(raw, known)
	if err != nil {
		return head{}, err
	}
	origin := n.Text[:strings.Index(n.Text, "\n")]
	// tlog reads and writes the head of Go's own log, which differs in its first line alone.
	gos := "go.sum database tree" + strings.TrimPrefix(n.Text, origin)
	tree, err := tlog.ParseTree([]byte(gos))
	if err != nil {
		return head{}, err
	}
	if string(tlog.FormatTree(tree)) != gos {
		return head{}, fmt.Errorf("a head that is not written as it must be")
	}
	h := head{origin: origin, tree: tree}
	signed := false
	for _, sig := range n.Sigs {
		parts := strings.Split(sig.Name, "/")
		switch {
		case sig.Name == origin:
			signed = true
		case len(parts) == 3 && parts[2] == "witness":
			h.witnesses = append(h.witnesses, parts[1])
		default:
			return head{}, fmt.Errorf("signed by %s, which is neither the log nor a witness", sig.Name)
		}
	}
	if !signed {
		return head{}, fmt.Errorf("not signed by %s", origin)
	}
	return h, nil
}

// files serves the export's tiles; tlog checks each against the head before it uses it.
type files struct {
	dir  string
	seen map[string][]byte
}

func (f *files) Height() int { return 8 }

func (f *files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// C2SP tlog-tiles leaves out the height.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		raw, ok := f.seen[path]
		if !ok {
			var err error
			if raw, err = os.ReadFile(filepath.Join(f.dir, path)); err != nil {
				return nil, err
			}
			f.seen[path] = raw
		}
		if len(raw) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path, len(raw))
		}
		all = append(all, raw)
	}
	return all, nil
}

func (f *files) SaveTiles([]tlog.Tile, [][]byte) {}

// readEntries reads every entry bundle and proves each entry to be in the tree.
func readEntries(dir string, tree tlog.Tree, reader tlog.HashReader) ([][]byte, error) {
	var entries [][]byte
	for int64(len(entries)) < tree.N {
		width := tree.N - int64(len(entries))
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: 0, N: int64(len(entries)) / 256, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		raw, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		for count := int64(0); count < width; count++ {
			if len(raw) < 2 || len(raw)-2 < int(binary.BigEndian.Uint16(raw)) {
				return nil, fmt.Errorf("%s ends within entry %d", path, len(entries))
			}
			length := int(binary.BigEndian.Uint16(raw))
			entries = append(entries, raw[2:2+length])
			raw = raw[2+length:]
		}
		if len(raw) != 0 {
			return nil, fmt.Errorf("%s has %d bytes too many", path, len(raw))
		}
	}
	for index, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(index), reader)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %v", index, err)
		}
		err = tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), tlog.RecordHash(entry))
		if err != nil {
			return nil, fmt.Errorf("entry %d: %v", index, err)
		}
	}
	return entries, nil
}

// checkConsistency proves every head to be a beginning of every larger one.
func checkConsistency(heads []head, reader tlog.HashReader) error {
	for _, old := range heads {
		for _, new := range heads {
			switch {
			case old.tree.N > heads[0].tree.N:
				return fmt.Errorf("%s has %d entries, more than the export", old.place, old.tree.N)
			case old.tree.N == 0:
				if old.tree.Hash != tlog.Hash(sha256.Sum256(nil)) {
					return fmt.Errorf("%s: not the root of an empty log", old.place)
				}
			case old.tree.N == new.tree.N && old.tree.Hash != new.tree.Hash:
				return fmt.Errorf("%s and %s: two roots of one size", old.place, new.place)
			case old.tree.N < new.tree.N:
				proof, err := tlog.ProveTree(new.tree.N, old.tree.N, reader)
				if err != nil {
					return err
				}
				err = tlog.CheckTree(proof, new.tree.N, new.tree.Hash, old.tree.N, old.tree.Hash)
				if err != nil {
					return fmt.Errorf("%s does not continue %s: %v", new.place, old.place, err)
				}
			}
		}
	}
	return nil
}

// checkProof reads a C2SP tlog-proof, checks it against the export's entry, and returns its head.
func checkProof(file, origin string, known note.Verifiers, entries [][]byte) (head, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return head{}, err
	}
	split := strings.Index(string(raw), "\n\n")
	if split < 0 {
		return head{}, fmt.Errorf("no checkpoint")
	}
	h, err := openHead(raw[split+2:], known)
	if err != nil {
		return head{}, err
	}
	if h.origin != origin {
		return head{}, fmt.Errorf("a proof of %s", h.origin)
	}
	lines := strings.Split(string(raw[:split]), "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return head{}, fmt.Errorf("not a tlog-proof")
	}
	lines = lines[1:]
	extra := ""
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		extra, lines = strings.TrimPrefix(lines[0], "extra "), lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return head{}, fmt.Errorf("no index")
	}
	index, err := strconv.ParseInt(lines[0][len("index "):], 10, 64)
	if err != nil || index < 0 || index >= int64(len(entries)) {
		return head{}, fmt.Errorf("no such entry: %q", lines[0])
	}
	if extra != "" && extra != base64.StdEncoding.EncodeToString(entries[index]) {
		return head{}, fmt.Errorf("its entry is not the export's")
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return head{}, err
		}
		proof = append(proof, hash)
	}
	return h, tlog.CheckRecord(proof, h.tree.N, h.tree.Hash, index, tlog.RecordHash(entries[index]))
}

// A cosigner verifies C2SP cosignature/v1, which x/mod does not know, for x/mod's note.Open.
type cosigner struct {
	name string
	key  ed25519.PublicKey
}

func (c cosigner) Name() string { return c.name }

func (c cosigner) KeyHash() uint32 {
	sum := sha256.Sum256([]byte(c.name + "\n\x04" + string(c.key)))
	return binary.BigEndian.Uint32(sum[:])
}

func (c cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return time < 1<<63 && ed25519.Verify(c.key, []byte(signed), sig[8:])
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("not a verifier key: %q", vkey)
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != 4 {
		return nil, fmt.Errorf("not a cosigner's key: %q", vkey)
	}
	c := cosigner{parts[0], ed25519.PublicKey(raw[1:])}
	if fmt.Sprintf("%08x", c.KeyHash()) != parts[1] {
		return nil, fmt.Errorf("the key ID of %q is wrong", vkey)
	}
	return c, nil
}
