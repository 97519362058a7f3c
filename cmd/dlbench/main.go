// Command dlbench runs the same deep-learning work on many frameworks.
package main

func main() {}
