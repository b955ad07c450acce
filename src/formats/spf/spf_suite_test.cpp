// The test suite of RFC 7208 (openspf), whole.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/text.h"
#include "corpora.h"
#include "formats/spf/spf.h"

namespace mailhold::spf {
namespace {

struct Zone {
  std::map<dns::Question, std::vector<dns::Record>> records;
  std::map<std::string, std::string> aliases;
  std::set<std::string> names;
  std::set<std::string> timeouts;

  dns::Answer answer(const dns::Question& question) const {
    std::string name = question.name;
    for (int links = 0; aliases.contains(name) && links < 8; ++links) name = aliases.at(name);
    if (const auto found = records.find({name, question.type}); found != records.end())
      return {.status = dns::AnswerStatus::ok, .records = found->second};
    if (timeouts.contains(name)) return {.status = dns::AnswerStatus::timeout};
    return {.status = names.contains(name) ? dns::AnswerStatus::nodata : dns::AnswerStatus::nxdomain};
  }
};

std::string unhex(std::string_view text) { return text == "-" ? std::string() : from_hex(text).value(); }

std::vector<std::string> lines_of(const std::string& suite) {
  const std::string command = "/usr/bin/python3 '" MAILHOLD_SOURCE_DIR "/src/formats/spf/spf_suite_reader.py' '" + suite + "'";
  std::vector<std::string> lines;
  FILE* pipe = popen(command.c_str(), "r");
  std::string all;
  char block[4096];
  std::size_t count = 0;
  while ((count = fread(block, 1, sizeof block, pipe)) > 0) all.append(block, count);
  EXPECT_EQ(pclose(pipe), 0);
  for (std::string_view line : split(all, '\n')) lines.emplace_back(line);
  return lines;
}

void add_record(const std::vector<std::string_view>& words, Zone& zone) {
  const std::map<std::string, dns::RecordType> types{{"A", dns::RecordType::a},
                                                     {"AAAA", dns::RecordType::aaaa},
                                                     {"MX", dns::RecordType::mx},
                                                     {"TXT", dns::RecordType::txt},
                                                     {"PTR", dns::RecordType::ptr}};
  const std::string name = to_lower(unhex(words[1]));
  std::string value = unhex(words[3]);
  zone.names.insert(name);
  if (words[2] == "CNAME") {
    zone.aliases[name] = to_lower(value);
    return;
  }
  const dns::RecordType type = types.at(std::string(words[2]));
  if (type == dns::RecordType::a || type == dns::RecordType::aaaa) {
    value = dns::parse_address(value).value();
    if (type == dns::RecordType::aaaa && value.size() == 4) value = std::string(10, '\0') + "\xff\xff" + value;
  }
  zone.records[{name, type}].push_back({value, static_cast<std::uint16_t>(to_number(words[4]).value())});
}

bool passes(const std::vector<std::string_view>& words, const Zone& zone) {
  const Sender sender{.client_ip = dns::parse_address(words[3]).value(), .helo = unhex(words[2]), .mail_from = unhex(words[4])};
  const Verdict verdict = check(sender, [&](const dns::Question& question) { return zone.answer(question); });
  const auto expected = split(words[5], ',');
  bool is_right = std::find(expected.begin(), expected.end(), name_of(verdict.outcome)) != expected.end();
  const std::string explanation = unhex(words[6]);
  if (!explanation.empty() && verdict.outcome == Outcome::fail) {
    is_right = is_right && verdict.explanation == (explanation == "DEFAULT" ? "" : explanation);
  }
  EXPECT_TRUE(is_right) << unhex(words[1]) << ": wanted " << words[5] << " '" << explanation << "', got "
                        << name_of(verdict.outcome) << " '" << verdict.explanation << "' " << verdict.problem;
  return is_right;
}

void run_suite(const std::string& path, int cases_expected) {
  Zone zone;
  int cases = 0;
  int passed = 0;
  for (const std::string& line : lines_of(path)) {
    const auto words = split(line, ' ');
    if (words[0] == "scenario")
      zone = Zone();
    else if (words[0] == "record")
      add_record(words, zone);
    else if (words[0] == "timeout")
      zone.timeouts.insert(to_lower(unhex(words[1]))), zone.names.insert(to_lower(unhex(words[1])));
    else if (words[0] == "test")
      ++cases, passed += passes(words, zone);
  }
  std::printf("%s: %d of %d cases pass\n", std::filesystem::path(path).filename().c_str(), passed, cases);
  EXPECT_GE(cases, cases_expected);
}

TEST(SpfSuite, of_rfc_7208_passes_whole) {
  CORPUS_OR_RETURN(folder, "spf-rfc7208-suite");
  run_suite(folder / "rfc7208-tests.yml", 128);
}

TEST(SpfSuite, of_pyspf_passes_whole) {
  CORPUS_OR_RETURN(folder, "spf-rfc7208-suite");
  run_suite(folder / "pyspf-test.yml", 9);
}

}  // namespace
}  // namespace mailhold::spf
