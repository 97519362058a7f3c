// Package ci holds the rules that this repository keeps about itself, as tests:
// who may import whom, how files and folders are named, and that every
// dependency is accounted for. They parse files in-process: a test that shells
// out to the go command is cached and passes on a violation.
package ci
