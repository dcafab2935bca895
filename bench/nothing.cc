// A process that does nothing: what starting any process costs, for mm_ctl_bench to compare with.
int main() { return 0; }
