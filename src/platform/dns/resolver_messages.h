// What resolverd is asked and what it answers, in base/bytes.h.
//   request  u32 milliseconds, u32 count, questions     reply  u32 count, answers in the order of the questions
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/dns_answer.h"
#include "base/result.h"

namespace mailhold::dns {

inline constexpr std::uint16_t method_resolve = 1;
inline constexpr std::size_t questions_max = 64;  // in one request

struct ResolveRequest {
  std::chrono::milliseconds time{};
  std::vector<Question> questions{};
};

std::string encode(const ResolveRequest& request);
// invalid_input for a malformed request, one with names DNS cannot carry, or with none or more than 64 questions.
Result<ResolveRequest> parse_request(std::string_view bytes);

std::string encode(const std::vector<Answer>& answers);
// corrupt unless there are exactly `count` answers within the limits of base/dns_answer.h.
Result<std::vector<Answer>> parse_answers(std::string_view bytes, std::size_t count);

}  // namespace mailhold::dns
