package report

// section is the head of a part of the page.
type section struct {
	ID    string
	No    int
	Nav   text // in the table of contents
	Title text
	Lead  text
}
