package report

// section is the head of a part of the page.
type section struct {
	ID    string
	No    int
	Nav   text // in the table of contents
	Title text
	Lead  text
	Chart chartPart
}

// chartPart is a chart for the pointer, closed at first.
type chartPart struct {
	ID      string
	Summary text
}
