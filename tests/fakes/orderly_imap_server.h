// A server without LITERAL+ that keeps to IMAP and takes its time: it reads what came in its order, and speaks when it is told
// to. What it counts as commands and as messages is compared with what a filter before it counted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace mailhold {

class OrderlyImapServer {
 public:
  explicit OrderlyImapServer(std::uint64_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  void receive(std::string_view bytes) { input_ += bytes; }

  // Its next line, without CRLF; none if it waits for bytes.
  std::optional<std::string> speak() {
    if (!unsaid_.empty()) return std::exchange(unsaid_, {});
    const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(literal_left_, input_.size()));
    input_.erase(0, taken);
    literal_left_ -= taken;
    const std::size_t end = input_.find("\r\n");
    if (literal_left_ > 0 || end == std::string::npos) return std::nullopt;
    const std::string line = input_.substr(0, end);
    input_.erase(0, end + 2);
    switch (std::exchange(state_, State::line)) {
      case State::message_end:
        if (!line.empty()) strays_.push_back(line);
        ++messages_;
        return tag_ + " OK";
      case State::idle:
        if (!equals_ignoring_case(line, "DONE")) strays_.push_back(line);
        return tag_ + " OK";
      case State::line: return answer(line);
    }
    return std::nullopt;
  }

  // As if it had idled long enough; nothing where it does not.
  std::optional<std::string> end_idle() {
    if (state_ != State::idle) return std::nullopt;
    state_ = State::line;
    ++dones_under_way_max_;
    return tag_ + " OK";
  }

  const std::vector<std::string>& commands() const { return commands_; }  // that it was given, without their tags
  const std::vector<std::string>& strays() const { return strays_; }      // lines that stand where no such line may
  std::uint64_t messages() const { return messages_; }                    // that were appended

 private:
  enum class State { line, message_end, idle };

  std::string answer(const std::string& line) {
    if (dones_under_way_max_ > 0 && equals_ignoring_case(line, "DONE")) {
      --dones_under_way_max_;
      return line + " BAD";
    }
    const std::size_t space = line.find(' ');
    tag_ = line.substr(0, space);
    if (space == std::string::npos) {
      strays_.push_back(line);
      return "* BAD";
    }
    const std::string command = line.substr(space + 1);
    commands_.push_back(command);
    if (starts_with_ignoring_case(command, "ENABLE ")) {
      unsaid_ = tag_ + " OK";
      return "* ENABLED " + command.substr(7);
    }
    if (equals_ignoring_case(command, "IDLE")) {
      state_ = State::idle;
      return "+ idling";
    }
    if (!starts_with_ignoring_case(command, "APPEND ") || !command.ends_with('}')) return tag_ + " OK";
    const std::size_t brace = command.rfind('{');
    const auto size = to_number(std::string_view(command).substr(brace + 1, command.size() - brace - 2));
    if (!size || *size > message_bytes_max_) return tag_ + " NO";
    literal_left_ = *size;
    state_ = State::message_end;
    return "+ go on";
  }

  std::uint64_t message_bytes_max_;
  State state_ = State::line;
  std::string input_, tag_, unsaid_;
  std::uint64_t literal_left_ = 0, messages_ = 0, dones_under_way_max_ = 0;
  std::vector<std::string> commands_, strays_;
};

}  // namespace mailhold
