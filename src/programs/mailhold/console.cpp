#include "programs/mailhold/console.h"

#include <termios.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/id.h"
#include "base/text.h"

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

// Control characters of mail must not reach the terminal.
std::string printable(const std::string& text) {
  std::string shown;
  for (const char letter : text) shown.push_back(static_cast<unsigned char>(letter) < 32 || letter == 127 ? '?' : letter);
  return shown;
}

std::size_t columns_of(const std::string& utf8) {
  std::size_t columns = 0;
  for (const char byte : utf8) columns += (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
  return columns;
}

void print_table(const json::array& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows) {
    for (const auto& [name, value] : row.as_object()) {
      if (std::find(names.begin(), names.end(), name) == names.end() && !value.is_object()) names.emplace_back(name);
    }
  }
  std::vector<std::vector<std::string>> cells{names};
  for (const auto& row : rows) {
    auto& line = cells.emplace_back();
    for (const auto& name : names) {
      const json::value* value = row.as_object().if_contains(name);
      line.push_back(value == nullptr ? "" : printable(plain(*value)));
    }
  }
  std::vector<std::size_t> widths(names.size(), 0);
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], columns_of(line[i]));
  }
  for (const auto& line : cells) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text.append(widths[i] - columns_of(line[i]) + 2, ' ');
    }
    std::cout << text << "\n";
  }
}

void print_value(const json::value& value, const std::string& indent);

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
  if (value.is_array() && !value.as_array().empty() && value.as_array().front().is_object()) return print_table(value.as_array());
  std::cout << indent << printable(plain(value)) << "\n";
}

}  // namespace

Result<std::string> Console::ask(const std::string& request, std::span<const int> fds) {
  if (!client_) {
    ASSIGN_OR_RETURN(api::ApiClient client, api::ApiClient::connect(socket));
    client_.emplace(std::move(client));
  }
  return client_->ask(request, fds, Deadline::after(std::chrono::seconds(180)));
}

void Console::print(const std::string& answer) const {
  boost::system::error_code error;
  const json::value value = json::parse(answer, error);
  if (json || error) {
    std::cout << answer << "\n";
    return;
  }
  // An answer that is one list is shown as that list.
  if (value.is_object() && value.as_object().size() == 1 && value.as_object().begin()->value().is_array()) {
    const auto& list = value.as_object().begin()->value().as_array();
    if (list.empty()) {
      std::cout << "none\n";
      return;
    }
    return print_value(list, "");
  }
  print_value(value, "");
}

Result<std::string> Console::tenant_id(const std::string& name_or_id) {
  if (Id::parse(name_or_id)) return name_or_id;
  ASSIGN_OR_RETURN(const std::string answer, ask(json::serialize(json::object{{"verb", "tenant.show"}, {"tenant", name_or_id}})));
  return std::string(json::parse(answer).as_object().at("tenant").as_string());
}

std::string request_of(const Command& command, const Typed& typed) {
  json::object request{{"verb", command.noun + "." + command.verb}};
  for (const Option& option : command.options) {
    if (!typed.has(option.name)) continue;
    std::string name = option.name;
    std::replace(name.begin(), name.end(), '-', '_');
    const auto& values = typed.values.at(option.name);
    if (option.form == Form::flag) {
      request[name] = true;
    } else if (option.form == Form::number) {
      request[name] = to_number(values.front()).value_or(0);
    } else if (option.form == Form::values) {
      json::array list;
      for (const auto& value : values) list.emplace_back(value);
      request[name] = std::move(list);
    } else {
      request[name] = values.front();
    }
  }
  return json::serialize(request);
}

Result<SecretText> read_secret(const std::string& file, const std::string& prompt, bool twice) {
  if (!file.empty()) {
    std::ifstream input(file, std::ios::binary);
    if (!input) return Error{ErrorKind::not_found, file + " cannot be read"};
    std::string text{std::istreambuf_iterator<char>(input), {}};
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return SecretText::take(std::move(text));
  }
  if (!::isatty(STDIN_FILENO)) return Error{ErrorKind::invalid_input, "no terminal to ask for the " + prompt + "; give a file"};
  const auto ask_once = [&](const std::string& question) {
    termios before{};
    ::tcgetattr(STDIN_FILENO, &before);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    std::cerr << question << ": " << std::flush;
    std::string line;
    std::getline(std::cin, line);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::cerr << "\n";
    return SecretText::take(std::move(line));
  };
  SecretText first = ask_once(prompt);
  if (!twice) return first;
  const SecretText second = ask_once(prompt + ", once more");
  if (first.reveal() != second.reveal()) return Error{ErrorKind::invalid_input, "the two were not the same"};
  return first;
}

}  // namespace mailhold::cli
