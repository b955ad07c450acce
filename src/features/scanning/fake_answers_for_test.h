// Answers for tests: a small zone of TXT and A records, numbered links, and a clamd that is away unless given.
#pragma once

#include <map>
#include <string>

#include "base/dns_answer.h"
#include "features/scanning/scan.h"

namespace mailhold::scanning {

class FakeAnswers final : public Answers {
 public:
  std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) override {
    ++batches;
    std::vector<dns::Answer> answers;
    for (const dns::Question& question : questions) {
      dns::Answer& answer = answers.emplace_back();
      answer.status = dns::AnswerStatus::nxdomain;
      answer.ttl_seconds = ttl_seconds;
      const auto found = txt.find(question.name);
      if (question.type != dns::RecordType::txt || found == txt.end()) continue;
      answer.status = dns::AnswerStatus::ok;
      answer.records.push_back({found->second, 0});
    }
    return answers;
  }

  std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) override {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < urls.size(); ++i)
      out.push_back(replacement.empty() ? "https://links.example.net/" + std::to_string(wrapped++) : replacement);
    return out;
  }

  Result<int> connect_clamd(const Deadline&) override {
    return clamd ? clamd() : Result<int>(Error{ErrorKind::unavailable, "no clamd"});
  }

  std::map<std::string, std::string> txt;
  std::string replacement;
  std::function<Result<int>()> clamd;
  std::uint32_t ttl_seconds = 0;
  std::size_t batches = 0, wrapped = 0;
};

}  // namespace mailhold::scanning
