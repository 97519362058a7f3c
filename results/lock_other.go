//go:build !unix && !windows

package results

import "os"

// lockHandle cannot lock here: two runs into one folder go unnoticed.
func lockHandle(*os.File) error { return nil }

func isDiskFull(error) bool { return false }
