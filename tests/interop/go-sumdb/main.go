// Checks an export of Tutti with the libraries of Go's checksum database, which know nothing of it:
// the log's signature on the checkpoint, and that the entries give the root that was signed.
//
//	go mod tidy && go run . OUT "$LOG_KEY"
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// stored hashes, in the order of tlog.StoredHashIndex.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = s[index]
	}
	return hashes, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	dir, logKey := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(logKey)
	check(err)
	text, err := os.ReadFile(dir + "/checkpoint")
	check(err)
	head, err := note.Open(text, note.VerifierList(verifier)) // fails unless the log has signed
	check(err)
	lines := strings.Split(head.Text, "\n") // origin, size, root
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	var hashes stored
	for index := int64(0); index < size; {
		width := size - index
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: -1, N: index / 256, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/data", "tile/entries", 1)
		bundle, err := os.ReadFile(dir + "/" + path)
		check(err)
		for end := index + width; index < end; index++ {
			length := binary.BigEndian.Uint16(bundle)
			more, err := tlog.StoredHashes(index, bundle[2:2+length], hashes)
			check(err)
			hashes, bundle = append(hashes, more...), bundle[2+length:]
		}
	}
	derived, err := tlog.TreeHash(size, hashes)
	check(err)
	if derived != root {
		check(fmt.Errorf("the entries are not what was signed"))
	}
	fmt.Printf("%s: %d entries give the root %s\n", lines[0], size, root)
	fmt.Printf("%d other signatures, which this program does not know\n", len(head.UnverifiedSigs))
}
