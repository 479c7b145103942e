DROP TABLE organizations;
DROP TABLE plans;
