// Answers of the API for people: lines and tables on standard output. Control characters of mail never reach the terminal.
#pragma once

#include <string>
#include <vector>

namespace mailhold::cli {

// `columns`: of an answer that is one list, the fields that matter, in this order; empty: all of them, as a table where it
// fits the screen and as blocks where it does not.
void print_for_people(const std::string& answer_json, const std::vector<std::string>& columns);

// Control characters of others must not reach the terminal: each becomes '?'.
std::string printable(const std::string& text);
// The same, but the ends of lines stay.
std::string printable_lines(const std::string& text);

}  // namespace mailhold::cli
