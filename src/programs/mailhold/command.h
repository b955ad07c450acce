// Command: one verb of the command line as data: its words, what it is for, its options and what it
// sends. The help text is printed from here, so it is the manual.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace mailhold::cli {

enum class Form {
  value,   // --to ADDRESS
  values,  // --recipient A --recipient B
  number,
  time,      // 2026-11-22 or 2026-11-22T15:04:05Z; milliseconds since 1970 on the wire
  flag,      // --any-recipient
  position,  // a word without dashes, in order
  words,     // all further words without dashes; joined by blanks on the wire
};

struct Option {
  std::string name;  // "tenant"; on the wire with '_' for '-'
  std::string meaning;
  bool required = false;
  Form form = Form::value;
};

// What the person typed: name -> values.
class Typed {
 public:
  std::map<std::string, std::vector<std::string>> values;
  bool has(const std::string& name) const { return values.contains(name); }
  std::string one(const std::string& name) const {
    const auto found = values.find(name);
    return found == values.end() || found->second.empty() ? "" : found->second.front();
  }
};

struct Console;  // console.h: the API connection and where to print

struct Command {
  std::string noun;
  std::string verb;
  std::string meaning;  // the first line of the help
  std::vector<Option> options;
  std::string example;
  // What is done; empty: the options are sent as they are as "noun.verb" and the answer is printed.
  std::function<Status(Console&, const Typed&)> run;
  std::vector<std::string> columns = {};  // of the list it answers, what people want to see; empty: all
};

// What a noun stands for, in one line.
std::string noun_meaning(const std::string& noun);

// Explicit lists, one for each group of nouns.
std::vector<Command> region_commands();      // up, status, settings
std::vector<Command> own_data_commands();    // backup self, backup prune, restore self
std::vector<Command> backup_commands();      // mailbox, backup, restore
std::vector<Command> retention_commands();   // retention, hold, mailbox remove
std::vector<Command> export_commands();      // export, import
std::vector<Command> seal_commands();        // key, unseal, recovery
std::vector<Command> people_commands();      // person, route
std::vector<Command> connection_commands();  // connection, secret, operation
std::vector<Command> tenant_commands();      // tenant, domain, link
std::vector<Command> host_commands();        // host
std::vector<Command> mail_commands();        // message, queue, held, gateway, ledger

}  // namespace mailhold::cli
