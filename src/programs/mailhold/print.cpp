#include "programs/mailhold/print.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <numeric>

namespace mailhold::cli {
namespace {

namespace json = boost::json;

std::string plain(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_bool()) return value.as_bool() ? "yes" : "no";
  if (value.is_null()) return "-";
  if (!value.is_array()) return json::serialize(value);
  std::string joined;
  for (const auto& item : value.as_array()) joined += (joined.empty() ? "" : ", ") + plain(item);
  return joined.empty() ? "-" : joined;
}

// A subject or a list of recipients can be as long as its sender likes: a list shows its beginning.
constexpr std::size_t cell_columns_max = 60;

std::string cut(std::string text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (++columns > cell_columns_max) return text.substr(0, i) + "\u2026";
  }
  return text;
}

std::size_t columns_of(const std::string& utf8) {
  std::size_t columns = 0;
  for (const char byte : utf8) columns += (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
  return columns;
}

void print_value(const json::value& value, const std::string& indent);
void print_object(const json::object& object, const std::string& indent);

// What the terminal shows in one line; a file or a pipe gets as much as a wide one.
std::size_t columns_of_screen() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 200;
}

std::vector<std::string> names_in(const json::array& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows) {
    for (const auto& [name, value] : row.as_object()) {
      if (std::find(names.begin(), names.end(), name) == names.end() && !value.is_object()) names.emplace_back(name);
    }
  }
  return names;
}

// A table that no screen shows whole: each row as lines, without what it leaves empty.
void print_blocks(const json::array& rows, const std::string& indent) {
  for (const auto& row : rows) {
    json::object filled;
    for (const auto& [name, value] : row.as_object()) {
      if (plain(value) != "" && plain(value) != "-") filled[name] = value;
    }
    if (&row != &rows.front()) std::cout << "\n";
    print_object(filled, indent);
  }
}

void print_table(const json::array& rows, const std::vector<std::string>& columns, const std::string& indent) {
  const std::vector<std::string> names = columns.empty() ? names_in(rows) : columns;
  std::vector<std::vector<std::string>> cells{names};
  for (const auto& row : rows) {
    auto& line = cells.emplace_back();
    for (const auto& name : names) {
      const json::value* value = row.as_object().if_contains(name);
      const std::string cell = value == nullptr ? "" : printable(plain(*value));
      line.push_back(columns.empty() ? cell : cut(cell));
    }
  }
  std::vector<std::size_t> widths(names.size(), 0);
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], columns_of(line[i]));
  }
  const std::size_t width = std::accumulate(widths.begin(), widths.end(), indent.size() + 2 * names.size());
  if (columns.empty() && width > std::max<std::size_t>(columns_of_screen(), 132)) return print_blocks(rows, indent);
  for (const auto& line : cells) {
    std::string text = indent;
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text.append(widths[i] - columns_of(line[i]) + 2, ' ');
    }
    std::cout << text << "\n";
  }
}

void print_object(const json::object& object, const std::string& indent) {
  std::size_t width = 0;
  for (const auto& [name, value] : object) width = std::max(width, name.size());
  for (const auto& [name, value] : object) {
    const bool table = value.is_array() && !value.as_array().empty() && value.as_array().front().is_object();
    if (value.is_object() || table) {
      std::cout << indent << name << ":\n";
      print_value(value, indent + "  ");
    } else {
      std::cout << indent << std::string(name) << std::string(width - name.size(), ' ') << "  " << printable(plain(value))
                << "\n";
    }
  }
}

void print_value(const json::value& value, const std::string& indent) {
  if (value.is_object()) return print_object(value.as_object(), indent);
  if (value.is_array() && !value.as_array().empty() && value.as_array().front().is_object())
    return print_table(value.as_array(), {}, indent);
  std::cout << indent << printable(plain(value)) << "\n";
}

}  // namespace

std::string printable(const std::string& text) {
  std::string shown;
  for (const char letter : text) shown.push_back(static_cast<unsigned char>(letter) < 32 || letter == 127 ? '?' : letter);
  return shown;
}

std::string printable_lines(const std::string& text) {
  std::string shown;
  for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
    end = text.find('\n', at);
    shown += printable(text.substr(at, end == std::string::npos ? end : end - at));
    if (end != std::string::npos) shown += '\n';
  }
  return shown;
}

void print_for_people(const std::string& answer, const std::vector<std::string>& columns) {
  boost::system::error_code error;
  const json::value value = json::parse(answer, error);
  if (error) {
    std::cout << printable(answer) << "\n";
    return;
  }
  // An answer that is one list is shown as that list.
  if (value.is_object() && value.as_object().size() == 1 && value.as_object().begin()->value().is_array()) {
    const auto& list = value.as_object().begin()->value().as_array();
    if (list.empty())
      std::cout << "none\n";
    else if (!columns.empty() && list.front().is_object())
      print_table(list, columns, "");
    else
      print_value(list, "");
    return;
  }
  print_value(value, "");
}

}  // namespace mailhold::cli
