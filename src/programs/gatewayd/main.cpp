#include "programs/gatewayd/gatewayd.h"

#include <cstdio>
#include <string_view>

int main(int argument_count, char** arguments) {
  const std::string_view which = argument_count == 2 ? arguments[1] : "";
  if (which == "in") return mailhold::gatewayd::run_inbound();
  if (which == "out") return mailhold::gatewayd::run_outbound();
  std::fputs("usage: gatewayd in|out   (started by mailhold up)\n", stderr);
  return 2;
}
