package environment

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// infos lists the metadata folders of the distributions in a site-packages folder.
func infos(site string) ([]string, error) {
	entries, err := os.ReadDir(site)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".dist-info") {
			found = append(found, e.Name())
		}
	}
	return found, nil
}

// distributions lists the installed distributions of a site-packages folder and
// their versions, from the names of their metadata folders.
func distributions(site string) (map[string]string, error) {
	folders, err := infos(site)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, folder := range folders {
		name, version, ok := strings.Cut(strings.TrimSuffix(folder, ".dist-info"), "-")
		if ok {
			found[strings.ReplaceAll(strings.ToLower(name), "_", "-")] = version
		}
	}
	return found, nil
}

// damages lists the files of installed distributions that are missing or have
// another size than their wheel gave them, by the lists that installers leave
// (RECORD); at most so many. Some are there from the beginning, because two
// wheels may hold the same file.
func damages(site string, most int) ([]damage, error) {
	folders, err := infos(site)
	if err != nil {
		return nil, err
	}
	var found []damage
	for _, folder := range folders {
		more, err := damagesIn(site, folder, most-len(found))
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// damage is a file, relative to site-packages, and what is wrong with it.
type damage struct{ File, What string }

// firstDamage is the first damage that was not there from the beginning, in words.
func firstDamage(site string, known []string) (string, error) {
	found, err := damages(site, len(known)+1)
	if err != nil {
		return "", err
	}
	for _, d := range found {
		if !slices.Contains(known, d.File) {
			return d.File + " " + d.What, nil
		}
	}
	return "", nil
}

func damagesIn(site, folder string, most int) ([]damage, error) {
	f, err := os.Open(filepath.Join(site, folder, "RECORD"))
	if errors.Is(err, fs.ErrNotExist) {
		return []damage{{folder + "/RECORD", "is gone"}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord, r.FieldsPerRecord, r.LazyQuotes = true, -1, true
	var found []damage
	for len(found) < most {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return append(found, damage{folder + "/RECORD", "cannot be read"}), nil
		}
		// Without a size: written after the list. Above the folder: scripts, whose
		// first line was fitted to the environment.
		if len(row) < 3 || row[2] == "" || strings.HasPrefix(row[0], "..") {
			continue
		}
		info, err := os.Stat(filepath.Join(site, filepath.FromSlash(row[0])))
		if err != nil {
			found = append(found, damage{strings.Clone(row[0]), "is gone"})
		} else if size, err := strconv.ParseInt(row[2], 10, 64); err == nil && size != info.Size() {
			found = append(found, damage{strings.Clone(row[0]), fmt.Sprintf("has %d bytes instead of %d", info.Size(), size)})
		}
	}
	return found, nil
}
