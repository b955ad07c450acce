#include "programs/mailhold/console.h"

#include <termios.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "programs/mailhold/print.h"

namespace mailhold::cli {

namespace json = boost::json;

Result<std::string> Console::ask(const std::string& request, std::span<const int> fds) {
  if (!client_) {
    ASSIGN_OR_RETURN(api::ApiClient client, api::ApiClient::connect(socket));
    client_.emplace(std::move(client));
  }
  return client_->ask(request, fds, Deadline::after(std::chrono::seconds(180)));
}

void Console::print(const std::string& answer, const std::vector<std::string>& columns) const {
  if (json)
    std::cout << answer << "\n";
  else
    print_for_people(answer, columns);
}

Result<std::string> Console::tenant_id(const std::string& name_or_id) {
  if (Id::parse(name_or_id)) return name_or_id;
  ASSIGN_OR_RETURN(const std::string answer, ask(json::serialize(json::object{{"verb", "tenant.show"}, {"tenant", name_or_id}})));
  return std::string(json::parse(answer).as_object().at("tenant").as_string());
}

Result<std::string> Console::mailbox_id(const std::string& name_or_id, const std::string& tenant) {
  if (Id::parse(name_or_id)) return name_or_id;
  ASSIGN_OR_RETURN(const std::string answer, ask(json::serialize(json::object{{"verb", "mailbox.list"}, {"tenant", tenant}})));
  const json::value listed = json::parse(answer);
  std::string found;
  for (const json::value& mailbox : listed.at("mailboxes").as_array()) {
    if (mailbox.as_object().at("name").as_string() != name_or_id) continue;
    if (!found.empty()) return Error{ErrorKind::invalid_input, "more than one mailbox has that name: give the id"};
    found = std::string(mailbox.as_object().at("mailbox").as_string());
  }
  if (found.empty()) return Error{ErrorKind::not_found, "no such mailbox of this tenant; see mailhold mailbox list"};
  return found;
}

Result<std::string> request_of(const Command& command, const Typed& typed) {
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
    } else if (option.form == Form::time) {
      const std::optional<Milliseconds> time = parse_iso8601(values.front());
      if (!time)
        return Error{ErrorKind::invalid_input, "--" + option.name + ": not a time like 2026-11-22 or 2026-11-22T15:04:05Z"};
      request[name] = *time;
    } else if (option.form == Form::words) {
      std::string joined;
      for (const auto& value : values) joined += (joined.empty() ? "" : " ") + value;
      request[name] = joined;
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
