/* Whatever linker made this program, its nodes offer all services and functions. */
#include "check.h"

static int offers(fsc_value list, const char *key, const char *wanted) {
    size_t i;
    int found = 0;
    for (i = 0; i < fsc_value_length(list); i++) {
        fsc_value description, name;
        const char *text = "";
        WELL(fsc_value_item(list, i, &description, &error));
        WELL(fsc_value_entry(description, key, &name, &error));
        if (fsc_value_kind(name) == FSC_KIND_TEXT) WELL(fsc_value_text(name, &text, NULL, &error));
        found += strcmp(text, wanted) == 0;
        fsc_value_free(name);
        fsc_value_free(description);
    }
    return found;
}

int main(void) {
    const char *const functions[] = {"SecureSum", "MinimumMaximum", "KthElement", "SecureMedian", "StatisticsUnivariate",
                                     "StatisticsBivariate", "StatisticsFrequency", "StatisticsContingency",
                                     "SecureMatrixMultiplication", "StatisticsRegressionOLSVertical"};
    const char *const services[] = {"Barrier", "Broadcast", "KeyValueStorage"};
    fsc_node node = running("catalogue", NULL);
    fsc_client client = client_of(node);
    fsc_value list;
    size_t i;
    WELL(fsc_client_list(client, NULL, &list, &error));
    for (i = 0; i < sizeof functions / sizeof *functions; i++) CHECK(offers(list, "function", functions[i]) == 1);
    for (i = 0; i < sizeof services / sizeof *services; i++) CHECK(offers(list, "microservice", services[i]) == 1);
    CHECK(offers(list, "protocol", "Simon") == 1);
    printf("%d objects\n", (int)fsc_value_length(list));
    fsc_value_free(list);
    fsc_client_free(client);
    WELL(fsc_node_stop(node, NULL, &error));
    fsc_node_free(node);
    WELL(fsc_shutdown(&error));
    return 0;
}
