#include <algorithm>
#include <tuple>

#include "base/random.h"
#include "features/gateway/outbound/opener.h"

namespace mailhold::outbound {
namespace {

constexpr std::size_t hosts_max = 20;

std::uint64_t random_number() {
  std::uint64_t number = 0;
  fill_random(&number, sizeof number);
  return number;
}

}  // namespace

std::vector<std::string> mail_hosts(const std::string& domain, dns::Resolver& resolver, OpenFailure& failure,
                                    const Deadline& deadline) {
  const dns::Answer answer = resolver.resolve({domain, dns::RecordType::mx}, deadline);
  if (answer.is_temporary_failure()) {
    failure = {false, smtp::reply(451, "4.4.3", "DNS does not answer for the domain")};
    return {};
  }
  if (answer.status == dns::AnswerStatus::nxdomain) {
    failure = {true, smtp::reply(550, "5.1.2", "the domain does not exist")};
    return {};
  }
  if (answer.records.empty()) return {domain};  // the implicit MX, RFC 5321 section 5.1
  const std::vector<dns::Record>& records = answer.records;
  if (records.size() == 1 && (records[0].value.empty() || records[0].value == ".")) {
    failure = {true, smtp::reply(556, "5.1.10", "the domain takes no mail (null MX)")};  // RFC 7505
    return {};
  }
  // Best first; equal preferences share the load by a random number.
  std::vector<std::tuple<std::uint16_t, std::uint64_t, std::string>> ranked;
  for (const dns::Record& record : records) {
    if (!record.value.empty() && record.value != ".") ranked.emplace_back(record.preference, random_number(), record.value);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> hosts;
  for (auto& [preference, chance, host] : ranked) {
    if (hosts.size() < hosts_max) hosts.push_back(std::move(host));
  }
  return hosts;
}

}  // namespace mailhold::outbound
