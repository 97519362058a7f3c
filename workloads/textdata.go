package workloads

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"
)

// The tokens that every vocabulary begins with.
const (
	tokenPad     = 0 // fills sequences that are too short, at their end
	tokenUnknown = 1 // a word outside the vocabulary
	tokenWords   = 2 // the most frequent word
)

const (
	maxTextFile  = 1 << 20 // bytes
	maxTextFiles = 500_000
	maxText      = 2 << 30 // bytes of all files; words take several times that
)

// classFolders lists the folders that name the classes, sorted: neg and pos
// where both are there (the IMDB reviews also have others), else all.
func classFolders(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			dirs = append(dirs, e.Name())
		}
	}
	if slices.Contains(dirs, "neg") && slices.Contains(dirs, "pos") {
		return []string{"neg", "pos"}, nil
	}
	return dirs, nil // ReadDir sorts
}

// openText reads one text per file, classes by folder. The vocabulary is the
// most frequent words of all texts, ties in alphabetical order.
//
// All texts are in memory, so limit bounds their bytes together.
func openText(fsys fs.FS, classes []string, in Input, limit int64) (dataset, error) {
	const kind = "text folders"
	if in.Kind != KindTokens {
		return dataset{}, fmt.Errorf("%s hold text: the workload reads %s %v", kind, in.Kind, in.Shape)
	}
	if in.Vocab <= tokenWords {
		return dataset{}, fmt.Errorf("%s need a vocabulary of more than %d tokens: the workload has %d", kind, tokenWords, in.Vocab)
	}
	var (
		texts  [][]string
		labels []int32
		parts  [][]byte
		counts = map[string]int{}
		held   int64 // bytes of all texts
	)
	for label, class := range classes {
		files, err := fs.ReadDir(fsys, class)
		if err != nil {
			return dataset{}, err
		}
		for _, f := range files {
			if !f.Type().IsRegular() || strings.HasPrefix(f.Name(), ".") {
				continue
			}
			if len(texts) == maxTextFiles {
				return dataset{}, fmt.Errorf("more than %d text files", maxTextFiles)
			}
			name := path.Join(class, f.Name())
			raw, err := readRegular(fsys, name, maxTextFile)
			if err != nil {
				return dataset{}, err
			}
			if held += int64(len(raw)); held > limit {
				return dataset{}, fmt.Errorf("more than %d bytes of text up to %s: expected a folder with a part of it", limit, name)
			}
			words := tokenise(string(raw))
			for _, w := range words {
				counts[w]++
			}
			texts, labels = append(texts, words), append(labels, int32(label))
			parts = append(parts, []byte(name), raw)
		}
	}
	vocab := vocabulary(counts, in.Vocab)
	return dataset{
		kind: kind, digest: digestOf(parts...), count: len(texts), classes: len(classes),
		tokens: func(i int, x []int32) { encode(texts[i], vocab, x) },
		label:  func(i int) int32 { return labels[i] },
	}, nil
}

// tokenise splits at white space, lowers, and cuts punctuation off both ends.
func tokenise(text string) []string {
	words := strings.Fields(strings.ToLower(text))
	for i, w := range words {
		words[i] = strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

func vocabulary(counts map[string]int, size int) map[string]int32 {
	words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	vocab := map[string]int32{}
	for i, w := range words[:min(len(words), size-tokenWords)] {
		vocab[w] = int32(tokenWords + i)
	}
	return vocab
}

// encode fills x with the first words of a text.
func encode(words []string, vocab map[string]int32, x []int32) {
	for i := range x {
		x[i] = tokenPad
		if i < len(words) {
			x[i] = tokenUnknown
			if id, ok := vocab[words[i]]; ok {
				x[i] = id
			}
		}
	}
}
