DROP TABLE usage_witness_nodes;
DROP TABLE usage_witness_files;
DROP TABLE usage_witness;
