// What each noun of the command line stands for.
#include "programs/mailhold/command.h"

namespace mailhold::cli {

std::string noun_meaning(const std::string& noun) {
  static const std::map<std::string, std::string> meanings = {
      {"key", "The keys of this region and their seals"},
      {"recovery", "The other ways into this region"},
      {"settings", "The settings file"},
      {"person", "Who may change routes and secrets"},
      {"route", "Where a tenant's mail goes"},
      {"connection", "Accounts of a tenant at servers: where, what for, and how much"},
      {"operation", "Changes that wait for a second person's signature"},
      {"secret", "Passwords and keys of routes and connections; they go in and never come out"},
      {"mailbox", "Mailboxes that are backed up"},
      {"backup", "What was backed up of a mailbox, as of any moment; and copies of Mailhold's own data"},
      {"retention", "How long backups of mailboxes are kept, and what would vanish when"},
      {"hold", "What must be kept, whatever retention says"},
      {"restore", "Items put back into a mailbox and verified; and Mailhold's own data, brought back"},
      {"export", "Contents of a backup as files that other programs read; two people"},
      {"import", "Mail in files of other programs, kept as a backup"},
      {"tenant", "The companies this region protects"},
      {"domain", "Domains and recipients of a tenant"},
      {"link", "Rewritten links: rules, checks"},
      {"message", "Messages: find, trace, show"},
      {"queue", "Messages on their way out"},
      {"held", "Messages that policy holds back"},
      {"gateway", "The SMTP side that takes mail in"},
      {"host", "What runs on this host, compared with what was installed"},
      {"ledger", "The tamper-evident log of every use of a secret and every change"},
  };
  const auto found = meanings.find(noun);
  return found == meanings.end() ? "" : found->second;
}

}  // namespace mailhold::cli
