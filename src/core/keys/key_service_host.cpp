// The part of KeyService about the host it runs on: no seal is opened on one that is not as it was recorded, and each finding is
// told once (detection R19).
#include "base/log.h"
#include "core/keys/key_service_state.h"

namespace mailhold::keys {

Status KeyService::check_host() {
  const std::vector<HostFinding> findings = state_->host_findings();
  if (findings.empty()) return done();
  look_at_host();  // that somebody was refused is told at once
  const HostFinding& first = findings.front();
  if (first.subject.empty()) return Error{ErrorKind::denied, "R19: this host is not watched: " + first.detail};
  return Error{ErrorKind::denied, "R19: this host is not as it was recorded: " + first.kind + " " + first.subject.substr(0, 16) +
                                      (findings.size() > 1 ? " and " + std::to_string(findings.size() - 1) + " more" : "") +
                                      "; `mailhold host check` on it names them"};
}

void KeyService::look_at_host() {
  State& state = *state_;
  const std::vector<HostFinding> findings = state.host_findings();
  const std::lock_guard lock(state.mutex);
  const auto region = state.open_keystore() ? state.keystore->region() : Result<std::optional<std::string>>(std::nullopt);
  const bool has_keystore =
      region && region->has_value();  // without one there is nothing to protect yet, and no place for an event
  std::set<std::pair<std::string, std::string>> told;
  for (const HostFinding& finding : findings) {
    const std::pair which(finding.kind, finding.subject);
    if (told.contains(which)) continue;
    if (!state.known_findings.contains(which)) {
      log_error("keys", "R19: " + finding.kind + (finding.subject.empty() ? "" : " " + finding.subject));
      std::map<std::string, std::string> fields{{"rule", "R19"}, {"finding", finding.kind}};
      if (!finding.subject.empty()) fields["subject"] = finding.subject;
      const bool is_kept = has_keystore && state.keystore->add_event(state.event("host.finding", {}, std::move(fields)));
      if (has_keystore && !is_kept) continue;  // again with the next look
    }
    told.insert(which);
  }
  state.known_findings = std::move(told);
}

}  // namespace mailhold::keys
